// What the tests of `tarn compile` share: a folder to compile into, commands, and models.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "runtime/session/session.h"
#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn {

namespace fs = std::filesystem;

using test::example;
using test::Finished;
using test::read_text;
using test::run;

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

// Rows that products read where they are (passes/tactics/rows_in_place.h).
inline constexpr const char* kWideModel = R"(model wide {
  input  x[300]
  output y = x |> dense(40, tanh) |> dense(3)
}
train {
  target t[3]
  loss      mean_squared_error(y, t)
  optimizer adam(lr = 0.01)
  batch     17
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

// Convolutions with zeros around and without, of every second place, of each channel by itself and transposed; both
// kinds of pooling; and extents that are no multiples of a vector.
inline constexpr const char* kImageModel = R"(model image {
  input  x[9, 8, 3]
  output y = x |> conv2d(6, 3, padding = "same", activation = relu) |> batch_norm |> conv2d(5, [3, 2], strides = 2)
      |> depthwise_conv2d(3, padding = "same", activation = tanh) |> max_pooling2d(2)
      |> conv2d_transpose(4, 3, strides = 2, padding = "same") |> average_pooling2d(2) |> flatten |> dense(5, softmax)
}
train {
  target t[5]
  loss      categorical_crossentropy(y, t)
  metric    accuracy(y, t)
  optimizer adam(lr = 0.01)
  batch     12
}
)";

class Compile : public ::testing::Test {
 protected:
  Compile() {
    test::write_text(folder_ / "deep.tarn", kDeepModel);
    test::write_text(folder_ / "image.tarn", kImageModel);
    test::write_text(folder_ / "math.tarn", kMathModel);
    test::write_text(folder_ / "wide.tarn", kWideModel);
  }

  Finished in_folder(const std::string& command) const {
    return run(fmt::format("cd '{}' && {}", folder_.string(), command));
  }
  Finished tarn(const std::string& arguments) const {
    return in_folder(fmt::format("'{}' {}", test::driver(), arguments));
  }
  std::uint64_t size_of(const std::string& name) const { return fs::file_size(folder_ / name); }
  std::string path_of(const std::string& model) const {
    const fs::path made = folder_ / (model + ".tarn");
    return fs::exists(made) ? made.string() : example(model + ".tarn");
  }

  // The model, compiled for that CPU into a C program, with either end of all its memory guarded, writes the bytes that
  // bytes_of_code_in_memory gives. In compile_bits_test.cpp.
  void expect_bits_of_code_in_memory(const std::string& model, const std::string& cpu, std::size_t steps = 1000);

  // A compiled model has written the bytes that bytes_of_code_in_memory gives to the file `results`.
  void expect_results(const std::string& expected) const;

  // Weights of iris that are not the initial ones.
  std::string trained_weights() const {
    const Finished trained =
        tarn(fmt::format("train '{}' --epochs 20 --quiet -o trained.safetensors", path_of("iris")));
    EXPECT_EQ(trained.status, 0) << trained.output;
    return (folder_ / "trained.safetensors").string();
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

// The code in memory for that CPU (empty: this one).
std::unique_ptr<Session> session_of(const std::string& path, std::uint64_t seed, const std::string& cpu = "");
// The bytes that tests/data/compiled_model.c writes, by that code.
std::string bytes_of_code_in_memory(const std::string& path, const std::string& cpu, std::size_t steps = 1000);

}  // namespace tarn
