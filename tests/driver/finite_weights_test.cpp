// No value that is not finite gets into weights: files of every format that hold one, for every command that reads
// them; values that are assigned; initializers. One message names file, tensor and element, and nothing is changed.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "runtime/session/weights.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

constexpr const char* kFiniteModel = R"(model m {
  input x[2]
  output y = x |> dense(2)
}
train {
  target t[2]
  loss mean_squared_error(y, t)
  optimizer adam(lr = 0.01)
  epochs 2
  early_stopping(monitor = "loss", restore_best = true)
}
data {
  csv "d.csv"
  x = columns("a", "b")
  t = columns("c", "d")
}
)";

struct Spoilt {
  const char* tensor;
  std::int64_t element;
  double value;
  const char* message;
};
// The kernel has the shape [2, 2]; in files it is f64, so that there are numbers beyond f32.
const Spoilt kSpoilt[] = {
    {"dense_1.kernel", 1, kNan, "'dense_1.kernel' is nan at [0, 1]"},
    {"dense_1.kernel", 2, kInfinity, "'dense_1.kernel' is inf at [1, 0]"},
    {"dense_1.kernel", 3, 1e39, "'dense_1.kernel' is 1e+39 at [1, 1], which f32 cannot hold"},
    {"dense_1.bias", 0, -kInfinity, "'dense_1.bias' is -inf at [0]"},
};
const Spoilt kSpoiltCheckpoints[] = {
    {"dense_1.kernel.v", 1, kNan, "'dense_1.kernel.v' is nan at [0, 1]"},
    {"optimizer.lr", 0, kInfinity, "'optimizer.lr' is inf"},
    {"best/dense_1.bias", 1, kNan, "'dense_1.bias' is nan at [1]"},
};

class FiniteWeights : public Driver {
 protected:
  FiniteWeights() {
    write("m.tarn", kFiniteModel);
    write("d.csv", "a,b,c,d\n1,2,3,4\n4,3,2,1\n");
    EXPECT_EQ(tarn("train m.tarn --quiet --checkpoint ck").status, 0);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // A copy of a file with one number another.
  void spoil(const std::string& from, const std::string& to, const Spoilt& spoilt) const {
    Result<TensorFile> file = read_tensor_file(path(from));
    ASSERT_TRUE(file);
    bool found = false;
    for (NamedArray& tensor : file->tensors) {
      if (tensor.name != spoilt.tensor) continue;
      std::vector<double> values = tensor.array.to_doubles();
      values.at(static_cast<std::size_t>(spoilt.element)) = spoilt.value;
      tensor.array = Array::from_doubles(ArrayType::f64, tensor.array.shape, values);
      found = true;
    }
    ASSERT_TRUE(found) << spoilt.tensor;
    ASSERT_TRUE(write_tensor_file(path(to), views_of(file->tensors), file->metadata));
  }

  void expect_refused(const std::string& command, const std::string& file, const char* message) const {
    const std::string weights = read_text(folder_ / "m.safetensors"), spoilt = read_text(folder_ / file);
    const Outcome outcome = tarn(command);
    EXPECT_EQ(outcome.status, 1) << command;
    EXPECT_EQ(outcome.out, "") << command;
    EXPECT_THAT(outcome.err, HasSubstr("error: " + file + ": " + message)) << command;
    EXPECT_EQ(read_text(folder_ / "m.safetensors"), weights) << command;
    EXPECT_EQ(read_text(folder_ / file), spoilt) << command;
    EXPECT_FALSE(exists("out.o") || exists("out.h") || exists("out.csv")) << command;
  }
};

TEST_F(FiniteWeights, OfEveryFormatForEveryCommand) {
  const char* const commands[] = {
      "predict m.tarn --quiet -o out.csv --weights ",
      "eval m.tarn --quiet --weights ",
      "train m.tarn --quiet --weights ",
      "compile m.tarn --quiet -o out.o --weights ",
      "weights --npz copy.npz ",
      "weights --classes 't=[\"u\", \"v\"]' ",
  };
  const std::pair<const char*, const char*> files[] = {
      {"m.safetensors", "w.safetensors"}, {"m.safetensors", "w.npz"}, {"ck/checkpoint.safetensors", "c.safetensors"}};
  for (const auto& [from, to] : files) {
    for (const Spoilt& spoilt : kSpoilt) {
      spoil(from, to, spoilt);
      for (const std::string command : commands) {
        // A file of tensors may hold what f64 holds.
        if (command.starts_with("weights") && std::isfinite(spoilt.value)) continue;
        expect_refused(command + to, to, spoilt.message);
      }
    }
  }
  EXPECT_FALSE(exists("copy.npz"));
}

TEST_F(FiniteWeights, OfCheckpoints) {
  fs::create_directory(folder_ / "bad");
  const std::string to = "bad/checkpoint.safetensors";
  for (const auto& list : {std::span<const Spoilt>(kSpoilt), std::span<const Spoilt>(kSpoiltCheckpoints)}) {
    for (const Spoilt& spoilt : list) {
      spoil("ck/checkpoint.safetensors", to, spoilt);
      expect_refused("train m.tarn --quiet --epochs 5 --resume bad", to, spoilt.message);
    }
  }
}

TEST_F(FiniteWeights, SeveralAreCounted) {
  spoil("m.safetensors", "w.safetensors", kSpoilt[0]);
  spoil("w.safetensors", "w.safetensors", kSpoilt[1]);
  spoil("w.safetensors", "w.safetensors", kSpoilt[3]);
  const Outcome outcome = tarn("predict m.tarn --quiet --weights w.safetensors");
  EXPECT_EQ(outcome.err,
            "error: w.safetensors: 'dense_1.kernel' is nan at [0, 1]; 1 more value like that\n"
            "note: 'dense_1.bias' is -inf at [0]\n");
}

TEST_F(FiniteWeights, AssignedOnes) {
  const std::pair<const char*, const char*> cases[] = {
      {"[1, 1e39]", "--assign: 'dense_1.bias' is 1e+39 at [1], which f32 cannot hold"},
      {"[-1e300, 1e39]", "'dense_1.bias' is -1e+300 at [0], which f32 cannot hold; 1 more value like that"},
      {"[1, 1e999]", "--assign dense_1.bias: numbers in nested lists are wanted"},
      {"[1, NaN]", "--assign dense_1.bias: numbers in nested lists are wanted"},
  };
  for (const auto& [values, message] : cases) {
    const std::string before = read_text(folder_ / "m.safetensors");
    const Outcome outcome = tarn(fmt::format("weights m.safetensors --assign 'dense_1.bias={}'", values));
    EXPECT_EQ(outcome.status, 1) << values;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(read_text(folder_ / "m.safetensors"), before) << values;
  }
  // What is wrong in a file can be mended, all of it at once.
  spoil("m.safetensors", "w.npz", kSpoilt[3]);
  EXPECT_EQ(tarn("weights w.npz --assign 'dense_1.bias=[1, 2]'").status, 0);
  EXPECT_EQ(tarn("predict m.tarn --quiet --weights w.npz").status, 0);
}

TEST_F(FiniteWeights, InitialOnes) {
  const char* const models[] = {
      "param w[2] = constant(1e39)",        "param w[2] = exp(1000)", "param w[2] = [1, -1e39]",
      "param w[2] = normal(stddev = 1e39)", "state w[2] = 1e300",
  };
  for (const char* const line : models) {
    write("i.tarn",
          fmt::format(
              "model i {{\n  input x[2]\n  {}\n  param c = 0\n  output y = x + w + c\n}}\ntrain {{\n  target t[2]\n"
              "  loss mean_squared_error(y, t)\n  optimizer sgd\n}}\n"
              "data {{\n  csv \"d.csv\"\n  x = columns(0..2)\n  t = columns(2..4)\n}}\n",
              line));
    for (const char* const command : {"train i.tarn", "predict i.tarn", "eval i.tarn"}) {
      const Outcome outcome = tarn(std::string(command) + " --quiet");
      EXPECT_EQ(outcome.status, 1) << command << ": " << line;
      EXPECT_THAT(outcome.err, HasSubstr("error: the initial value of 'w' is ")) << command << ": " << line;
      EXPECT_THAT(outcome.err, HasSubstr("i.tarn:3:")) << command << ": " << line;
      EXPECT_FALSE(exists("i.safetensors"));
    }
  }
}

}  // namespace
}  // namespace tarn::driver_test
