// verify(KernelPlan) on plans written as text: which points of a kernel may touch one element, and what lies where.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/plan/text.h"

namespace tarn {
namespace {

using ::testing::HasSubstr;

constexpr const char* kVerifiedBuffers = R"(plan p {
  max_batch 8
  arena 512
  constants { 00000000 00000000 }
  buffer x: f32[8,8] strides [8, 1] in input 0 at 0
  buffer y: f32[8,8] strides [8, 1] in state at 64
  buffer a: f32[8,8] strides [8, 1] in arena at 0
  buffer b: f32[8,8] strides [8, 1] in arena at 256
  buffer c: f32[8,8] strides [8, 1] in arena at 128
)";

std::string messages(const std::string& text) {
  Sources sources;
  const auto read = parse_plan(text, "plan.txt", sources);
  if (!read) return format(read.error(), sources);
  const Status status = verify(read->plan);
  std::string all;
  if (!status) {
    for (const Diagnostic& diagnostic : status.error()) all += diagnostic.message + "\n";
  }
  return all;
}

struct LoopCase {
  const char* tactics;
  const char* body;
  const char* message;  // "" where the plan is good
};

const LoopCase kLoops[] = {
    {"", "y[i, j] = x[i, j]", ""},
    {"", "y[j, i] = x[i, j]", ""},
    {"", "y[i, 0] = x[i, j]", "two points store to one element of 'y'"},
    {"", "y[element i + j] = 1", "two points store to one element of 'y'"},
    {"", "y[element 7*i + j] = 1", "two points store to one element of 'y'"},
    {"", "y[element 63 - 8*i - j] = 1", ""},
    {"", "y[i, j] = 1   y[i, j] = 2", ""},
    {"", "y[i, j] = 1   y[j, i] = 2", "'y' is stored where 'y' is"},
    {"", "a[i, j] = 1   b[i, j] = 1", ""},
    {"", "a[i, j] = 1   c[i, j] = 1", "'c' is stored where 'a' is"},
    {"", "y[0, j] += x[i, j]", ""},
    {"", "y[element j, row 1:i32 * 8 < 8] += x[i, j]", ""},
    {"", "y[element j, row 1:i32 * 8 < 8] = x[i, j]", "two points store to one element of 'y'"},
    {"", "y[element j, row 1 * 8 < 8] += x[i, j]", "a row is no i32 value of the body"},
    {"", "y[element j, row 1:i32 * 8 < 9] += x[i, j]", "an access to 'y' leaves it"},
    {"", "y[0, j] += x[i, j]   y[i, 0] = 1", "'y' is stored where 'y' is"},
    {"threads share i", "y[i, j] = x[i, j]", ""},
    {"threads share j", "y[0, j] += x[i, j]", ""},
    {"threads share i", "y[0, j] += x[i, j]", "threads that share the kernel store to the same element"},
    {"threads share i", "y[element j, row 1:i32 * 8 < 8] += x[i, j]", "threads that share the kernel store to"},
    {"", "y[i, j] = (y[i, j] + 1)", ""},
    {"", "y[i, j] = y[j, i]", "'y' is written where 'y' is read"},
    {"", "x[i, j] = 1", "'x' cannot be written"},
    {"", "y[i, j] = 1:i32", "'y' has another type"},
    {"", "y[i, j] = a[i, j]", "'a' is read before it is written"},
    {"", "y[i + 1, j] = 1", "an access to 'y' leaves it"},
};

TEST(VerifyPlan, KnowsWhichPointsTouchOneElement) {
  for (const LoopCase& row : kLoops) {
    SCOPED_TRACE(row.body);
    const std::string text =
        fmt::format("{}kernel 0 \"k\" loop\n  for i < 8 j < 8\n  {}\n}}\ntactics p {{\nkernel 0 \"k\"\n  {}\n}}\n",
                    kVerifiedBuffers, row.body, row.tactics);
    const std::string found = messages(text);
    EXPECT_THAT(found, HasSubstr(row.message));
    EXPECT_EQ(found.empty(), *row.message == 0) << found;
  }
}

// b lies behind a, c in both.
TEST(VerifyPlan, KnowsWhosePlaceHasBeenTaken) {
  const auto copies = [](std::initializer_list<std::pair<const char*, const char*>> pairs) {
    std::string text = kVerifiedBuffers;
    int kernel = 0;
    for (const auto& [to, from] : pairs) {
      text += fmt::format("kernel {} \"{}\" loop\n  for i < 8 j < 8\n  {}[i, j] = {}[i, j]\n", kernel++, to, to, from);
    }
    return messages(text + "}\n");
  };
  EXPECT_EQ(copies({{"a", "x"}, {"b", "a"}, {"y", "a"}, {"c", "x"}, {"y", "c"}}), "");
  EXPECT_THAT(copies({{"a", "x"}, {"c", "x"}, {"y", "a"}}),
              HasSubstr("'a' is read before it is written, or after its"));
  EXPECT_THAT(copies({{"a", "x"}, {"c", "x"}, {"a", "x"}, {"y", "c"}}), HasSubstr("'c' is read before"));
  EXPECT_EQ(copies({{"a", "x"}, {"c", "x"}, {"a", "x"}, {"y", "a"}}), "");
}

TEST(VerifyPlan, NumbersOfAnySizeAreSafe) {
  const std::string axes = "for i < 2147483648N j < 2147483648N";
  EXPECT_THAT(messages(fmt::format("{}kernel 0 \"k\" loop\n  {}\n  y[i, j] = 1\n}}\n", kVerifiedBuffers, axes)),
              HasSubstr("an access to 'y' leaves it"));
  EXPECT_THAT(messages(fmt::format("{}kernel 0 \"k\" loop\n  for i < 8\n  y[element "
                                   "4611686018427387904*i - 4611686018427387904] = 1\n}}\n",
                                   kVerifiedBuffers)),
              HasSubstr("an access to 'y' leaves it"));
  EXPECT_THAT(messages("plan p {\n max_batch 1\n arena 0\n buffer a: f32[4] strides [1] in arena at "
                       "4611686018427387904\n}\n"),
              HasSubstr("'a' is too large"));
  EXPECT_THAT(messages("plan p {\n max_batch 1\n arena 0\n buffer a: f32[4] strides [1] in constants at 0\n}\n"),
              HasSubstr("'a' lies outside of the constants"));
}

}  // namespace
}  // namespace tarn
