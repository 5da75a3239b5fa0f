// No weight is ever a number that is not finite, whatever a program writes, loads or begins with.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "models.h"

namespace library_test {
namespace {

using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

TEST(LibraryFinite, WhatIsWrittenToATensor) {
  tarn::Session session(tarn::compile(kLinear));
  session.weight("dense_1.kernel") = {1.0, 2.0};
  const std::vector<std::pair<std::vector<float>, const char*>> wrong = {
      {{1, kNan}, "'dense_1.kernel' is nan at [1, 0]"},
      {{-kInfinity, kNan}, "'dense_1.kernel' is -inf at [0, 0]; 1 more value like that"},
  };
  for (const auto& [values, message] : wrong) {
    try {
      session.weight("dense_1.kernel") = tarn::View(values);
      ADD_FAILURE() << message;
    } catch (const tarn::NotFiniteError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
  const std::vector<double> beyond = {1e39, 0};
  EXPECT_THROW(session.weight("dense_1.kernel") = tarn::View(beyond), tarn::ArgumentError);
  const std::vector<double> rate = {std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(session.weight("optimizer.lr") = tarn::View(rate), tarn::NotFiniteError);
  EXPECT_EQ(floats(session.weight("dense_1.kernel")), (std::vector<float>{1, 2}));
}

TEST(LibraryFinite, InitialValues) {
  const char* const text = "model m {\n  input x\n  param w[2] = normal(stddev = 1e39)\n  output y = w * x\n}\n";
  const tarn::Model model = tarn::compile(text);
  try {
    const tarn::Session session(model);
    ADD_FAILURE();
  } catch (const tarn::NotFiniteError& error) {
    EXPECT_THAT(error.what(), HasSubstr(":3:"));
    EXPECT_THAT(error.what(), HasSubstr("the initial value of 'w' is "));
  }
}

}  // namespace
}  // namespace library_test
