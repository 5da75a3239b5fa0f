// What the tests of `tarn compile` share: a folder to compile into, commands, and models.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace tarn {

namespace fs = std::filesystem;

struct Finished {
  int status = -1;
  std::string output;  // both streams
};

inline Finished run(const std::string& command) {
  Finished result;
  std::FILE* pipe = popen(fmt::format("{{ {} ; }} 2>&1 </dev/null", command).c_str(), "r");
  if (pipe == nullptr) return result;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) result.output += static_cast<char>(c);
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

inline std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string example(const std::string& name) { return fmt::format("{}/examples/{}", TARN_SOURCE_DIR, name); }

// Random draws in training, states of layers, slots, and an output that is no multiple of a vector.
inline constexpr const char* kDeepModel = R"(model deep {
  input  x[7]
  output y = x |> dense(19, tanh, kernel_init = orthogonal) |> batch_norm |> dropout(0.25) |> dense(5, softmax)
}
train {
  target t[5]
  loss      categorical_crossentropy(y, t)
  metric    accuracy(y, t)
  optimizer adam(lr = 0.01)
  batch     12
}
)";

// Every function that a machine may lack an instruction for.
inline constexpr const char* kMathModel = R"(model math {
  input  x[7]
  input  k[3]: i32
  output a = floor(x) + ceil(x * 1.5) + round(x * 2.5)
  output b = sin(x) + cos(x * 3) + tanh(x) + sigmoid(x) + erf(x) + softplus(x)
  output c = (abs(x) + 0.1) ^ 1.7 + log(abs(x) + 1) + exp(x) + sqrt(abs(x)) + x % 0.3
  output d = k // 2 + k % 3
}
)";

class Compile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tarn-compile-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::ofstream(folder_ / "deep.tarn") << kDeepModel;
    std::ofstream(folder_ / "math.tarn") << kMathModel;
  }
  void TearDown() override { fs::remove_all(folder_); }

  Finished in_folder(const std::string& command) const {
    return run(fmt::format("cd '{}' && {}", folder_.string(), command));
  }
  Finished tarn(const std::string& arguments) const {
    return in_folder(fmt::format("'{}' {}", TARN_BINARY, arguments));
  }
  std::uint64_t size_of(const std::string& name) const { return fs::file_size(folder_ / name); }
  std::string path_of(const std::string& model) const {
    const fs::path made = folder_ / (model + ".tarn");
    return fs::exists(made) ? made.string() : example(model + ".tarn");
  }

  // Weights of iris that are not the initial ones.
  std::string trained_weights() const {
    const Finished trained =
        tarn(fmt::format("train '{}' --epochs 20 --quiet -o trained.safetensors", path_of("iris")));
    EXPECT_EQ(trained.status, 0) << trained.output;
    return (folder_ / "trained.safetensors").string();
  }

  fs::path folder_;
};

// The bytes that tests/data/compiled_model.c writes, by the code in memory for that CPU (empty: this one).
std::string bytes_of_code_in_memory(const std::string& path, const std::string& cpu);

}  // namespace tarn
