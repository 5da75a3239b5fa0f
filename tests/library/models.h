// Models and files that the tests of the library share.
#pragma once

#include <gtest/gtest.h>
#include <tarn/tarn.h>

#include <filesystem>
#include <string>
#include <vector>

#include "../support/files.h"

namespace library_test {

namespace fs = std::filesystem;
using tarn::test::example;
using tarn::test::TemporaryFolder;

// A linear model whose steps can be worked out by hand: y = x k + b, mean squared error, gradient descent.
inline constexpr const char* kLinear = R"(model linear {
  input  x[2]
  output y = x |> dense(1)
}
train {
  target t[1]
  loss      mean_squared_error(y, t)
  optimizer sgd(lr = 0.1)
  epochs 3
  batch  4
}
)";

// Random draws, states of layers, slots.
inline constexpr const char* kDeep = R"(const width = 16
model deep {
  input  x[4]
  output y = x |> dense(width, tanh) |> batch_norm |> dropout(0.25) |> dense(3, softmax)
}
train {
  target t[3]
  loss      categorical_crossentropy(y, t)
  metric    accuracy(y, t)
  optimizer adam(lr = 0.01)
  epochs 5
  batch  8
}
)";

// Rows for kDeep: numbers without a pattern, and classes in turn.
struct Samples {
  std::vector<float> x, t;
  explicit Samples(std::size_t rows) : x(rows * 4), t(rows * 3) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 64) / 64.0F - 0.25F;
    for (std::size_t i = 0; i < rows; ++i) t[i * 3 + i % 3] = 1;
  }
  tarn::Arguments training() const { return {{"x", x}, {"t", t}}; }
};

inline std::vector<float> floats(const tarn::Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

}  // namespace library_test
