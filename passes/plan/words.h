// The words of the text form of kernel plans, for those who print it and who read it: text.h.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn::plan_words {

struct SpaceName {
  Space space;
  std::string_view name;
};
inline constexpr std::array kSpaces = {
    SpaceName{Space::state, "state"},   SpaceName{Space::accumulators, "accumulators"},
    SpaceName{Space::arena, "arena"},   SpaceName{Space::input, "input"},
    SpaceName{Space::output, "output"}, SpaceName{Space::constants, "constants"},
};
std::string_view name_of(Space space);

// "(a + b)": operations that stand between their operands, those with the longer signs first.
struct Infix {
  Op op;
  std::string_view sign;
};
const std::vector<Infix>& infix_operations();

// A reduce_sum of products.
inline constexpr std::string_view kMultiplyAdd = "multiply_add";

// Words that are something else than the name of a buffer, where one may stand.
inline constexpr std::array<std::string_view, 15> kReserved = {"N",     "product", "index",  "uniform", "normal",
                                                               "inf",   "nan",     "for",    "over",    "then",
                                                               "order", "kernel",  "remark", "left",    "right"};
// What a product multiplies, where that is computed.
inline constexpr std::string_view kLeft = "left", kRight = "right";
bool is_reserved(std::string_view word);
// N of "tN" or "rN" with this letter.
std::optional<std::uint32_t> numbered(std::string_view word, char letter);

// i, j, k, … of a loop.
std::vector<std::string> loop_axes(std::size_t count);
// Of a role in a product: m0, m1, …, m, where the last axis has the letter alone.
struct Role {
  std::string_view letter;
  std::size_t axes = 1;
};
std::vector<std::string> role_axes(const Role& role);
// b0, b1, … of its batch, then those of two roles.
std::vector<std::string> product_axes(std::size_t batch, const Role& first, const Role& second);
// Those of an epilogue.
std::vector<std::string> product_axes(const ContractionKernel& kernel);

// s0, s1, … of the rounds of so many repeats, the outermost first.
std::vector<std::string> repeat_indices(std::size_t count);

// The type that an operation gives from those of its operands; none where they do not fit it.
std::optional<DType> dtype_of_operation(Op op, const std::vector<DType>& operands);

// A value without operands is the same as another one of its body where the keys are. Of an operation: empty.
std::string leaf_key(const Value& value);

// "1.25 kB"
std::string quantity(double value, std::string_view unit);

}  // namespace tarn::plan_words
