// What the type rules accept and what they refuse, with the messages that users read.
#include <map>

#include "ir/type_rules.h"
#include "tests/ir/ir_test_support.h"

namespace tarn {
namespace {

using testing::message_of;
using testing::parse_body;

struct RuleCase {
  std::vector<std::string> operands;  // types of %0, %1, …
  std::string node;                   // "TYPE = operation(…)"
  std::string message;                // "" where it is right
};

// Operands become inputs (those that depend on the sample) or tensors.
std::string body_of(const RuleCase& c) {
  std::string body;
  for (std::size_t i = 0; i < c.operands.size(); ++i) {
    const std::string& type = c.operands[i];
    const bool by_sample = type.starts_with("each") || type.find("[N") != std::string::npos;
    body += "%" + std::to_string(i) + ": " + type + (by_sample ? " = input" : " = tensor") + "() {name = \"x" +
            std::to_string(i) + "\"}\n";
  }
  return body + "%y: " + c.node;
}

const RuleCase kRuleCases[] = {
    // Elementwise: one shape, one dtype.
    {{"f32[6]", "f32[4]"}, "f32[6] = add(%0, %1)", "add: shapes do not agree: [6] and [4]"},
    {{"f32[6]", "f32[]"}, "f32[6] = add(%0, %1)", "add: shapes do not agree: [6] and []"},
    {{"f32[N,6]", "f32[6]"}, "f32[N,6] = mul(%0, %1)", "mul: shapes do not agree: [N, 6] and [6]"},
    {{"f32[6]", "i32[6]"}, "f32[6] = add(%0, %1)", "add: types do not agree: f32 and i32"},
    {{"bool[6]", "bool[6]"}, "bool[6] = add(%0, %1)", "add: numbers are needed here, not bool"},
    {{"i32[6]"}, "i32[6] = exp(%0)", "exp: f32 or f64 is needed here, not i32"},
    {{"i32[6]", "i32[6]"}, "i32[6] = div(%0, %1)", "div: f32 or f64 is needed here, not i32"},
    {{"i32[6]"}, "bool[6] = is_finite(%0)", "is_finite: f32 or f64 is needed here, not i32"},
    {{"f32[6]", "bool[6]"}, "bool[6] = logical_and(%0, %1)", "logical_and: bool is needed here, not f32"},
    {{"f32[6]", "f32[6]", "f32[6]"}, "f32[6] = where(%0, %1, %2)", "where: the condition must be bool, not f32"},
    {{"bool[6]", "f32[6]", "f64[6]"}, "f32[6] = where(%0, %1, %2)", "where: types do not agree: f32 and f64"},
    {{"bool[2]", "f32[6]", "f32[6]"}, "f32[6] = where(%0, %1, %2)", "where: shapes do not agree: [2] and [6]"},
    {{"f32[6]", "f32[6]"}, "f32[6] = less(%0, %1)", "the type of %y is bool[6], not f32[6]"},
    {{"i32[6]", "i32[6]"}, "i32[6] = floor_div(%0, %1)", ""},
    {{"bool[6]", "bool[6]"}, "bool[6] = equal(%0, %1)", ""},
    {{"f32[6]"}, "i32[6] = convert(%0)", ""},
    {{"bool[]"}, "bool[] = stop_gradient(%0)", ""},
    {{"f32[6]"}, "f32[6] = add(%0)", "add: 'add' takes 2 operands, not 1"},
    {{}, "f32[6] = concat() {axis = 0}", "concat: 'concat' takes one or more operands, not 0"},
    // The two forms.
    {{"each f32[6]", "f32[6]"}, "each f32[6] = add(%0, %1)", ""},
    {{"each f32[6]", "f32[6]"}, "f32[6] = add(%0, %1)", "the type of %y is each f32[6], not f32[6]"},
    {{"each f32[6]"}, "f32[6] = batch_sum(%0)", ""},
    {{"f32[]"}, "f32[] = batch_sum(%0)", ""},
    {{"f32[N,6]"},
     "f32[6] = batch_sum(%0)",
     "batch_sum: a sum over the samples of a batched value is a sum over its first axis"},
    {{"each f32[N]"}, "f32[] = batch_sum(%0)", "a value of one sample has no batch axis"},
    {{"each f32[6]", "f32[N,6]"}, "f32[6] = add(%0, %1)", "add: a value of one sample meets one of the whole batch"},
    // Reductions.
    {{"f32[2,3]"}, "f32[3] = reduce_sum(%0) {axes = [0]}", ""},
    {{"f32[N,3]"}, "f32[3] = reduce_sum(%0) {axes = [0]}", ""},
    {{"bool[2]"}, "bool[] = reduce_max(%0) {axes = [0]}", ""},
    {{"f32[2,3]"}, "f32[3] = reduce_sum(%0) {axes = [2]}", "reduce_sum: there is no axis 2 in the shape [2, 3]"},
    {{"f32[2,3]"}, "f32[3] = reduce_sum(%0) {axes = [-1]}", "reduce_sum: there is no axis -1 in the shape [2, 3]"},
    {{"f32[2,3]"}, "f32[] = reduce_sum(%0) {axes = [1, 0]}", "reduce_sum: axes must rise: [1, 0]"},
    {{"f32[2,3]"}, "f32[2] = reduce_sum(%0) {axes = [1, 1]}", "reduce_sum: axes must rise: [1, 1]"},
    {{"bool[2]"}, "bool[] = reduce_sum(%0) {axes = [0]}", "reduce_sum: numbers are needed here, not bool"},
    {{"f32[2,0]"},
     "f32[2] = reduce_max(%0) {axes = [1]}",
     "reduce_max: axis 1 of [2, 0] has no elements to choose from"},
    {{"f32[2,0]"}, "f32[2] = reduce_sum(%0) {axes = [1]}", ""},
    {{"f32[2,3]"}, "i32[] = argmax(%0) {axes = [0, 1]}", ""},
    {{"f32[2,3]"}, "i32[2,3] = argmax(%0) {axes = []}", "argmax: an axis is needed here"},
    // Windows, and what adds them up.
    {{"f32[7]"}, "f32[3,3] = windows(%0) {axes = [0], sizes = [3], steps = [2], dilations = [1]}", ""},
    {{"f32[2,5,6,3]"},
     "f32[2,5,3,1,3,3] = windows(%0) {axes = [1, 2], sizes = [1, 3], steps = [1, 2], dilations = [1, 1]}",
     "the type of %y is f32[2,5,2,1,3,3], not f32[2,5,3,1,3,3]"},
    {{"f32[4]"},
     "f32[1,5] = windows(%0) {axes = [0], sizes = [3], steps = [1], dilations = [2]}",
     "windows: a window of 5 elements does not fit into axis 0 of [4], which has 4"},
    {{"f32[4]"},
     "f32[4,1] = windows(%0) {axes = [], sizes = [], steps = [], dilations = []}",
     "windows: windows need an axis to lie along"},
    {{"f32[4,4,4]"},
     "f32[4,4] = windows(%0) {axes = [0, 2], sizes = [1, 1], steps = [1, 1], dilations = [1, 1]}",
     "windows: windows lie along adjacent axes, not [0, 2]"},
    {{"f32[4]"},
     "f32[4,1] = windows(%0) {axes = [0], sizes = [1, 1], steps = [1], dilations = [1]}",
     "windows: 'sizes' needs one entry for each of 1 axes, not 2"},
    {{"f32[4]"},
     "f32[4,1] = windows(%0) {axes = [0], sizes = [1], steps = [0], dilations = [1]}",
     "windows: a stride of 0 cannot be: it must be from 1 to 2147483648"},
    {{"f32[N,4]"},
     "f32[N,4] = windows(%0) {axes = [0], sizes = [1], steps = [1], dilations = [1]}",
     "windows: windows cannot lie along the batch axis"},
    {{"f32[2,2,2,2,2,2,2,2]"},
     "f32[2] = windows(%0) {axes = [0], sizes = [1], steps = [1], dilations = [1]}",
     "windows: windows of [2, 2, 2, 2, 2, 2, 2, 2] have 9 axes, over the limit of 8"},
    {{"f32[3,2]"}, "f32[6] = fold(%0) {axes = [0], steps = [2], dilations = [1], extents = [6], before = [0]}", ""},
    {{"f32[3]"},
     "f32[6] = fold(%0) {axes = [0], steps = [2], dilations = [1], extents = [6], before = [0]}",
     "fold: [3] has no 1 axes of places and as many of windows from axis 0 on"},
    {{"bool[3,2]"},
     "bool[6] = fold(%0) {axes = [0], steps = [2], dilations = [1], extents = [6], before = [0]}",
     "fold: numbers are needed here, not bool"},
    {{"f32[3,2]"},
     "f32[0] = fold(%0) {axes = [0], steps = [2], dilations = [1], extents = [0], before = [0]}",
     "fold: an extent of 0 cannot be: it must be from 1 to 2147483648"},
    {{"f32[3]", "f32[2]"}, "f32[5] = interleave(%0, %1) {axes = [0], sizes = [2]}", ""},
    {{"f32[2]", "f32[3]"},
     "f32[5] = interleave(%0, %1) {axes = [0], sizes = [2]}",
     "interleave: operand 0 of [5] has shape [2], not [3]"},
    {{"f32[2]", "f32[2]"},
     "f32[4] = interleave(%0, %1) {axes = [0], sizes = [3]}",
     "interleave: 2 operands do not take turns [3] times"},
    {{"f32[N,2]", "f32[N,2]"},
     "f32[N,2] = interleave(%0, %1) {axes = [0], sizes = [2]}",
     "interleave: the batch axis cannot be interleaved"},
    {{"f32[2,3]"}, "f32[2] = argmax(%0) {axes = [1]}", "the type of %y is i32[2], not f32[2]"},
    // Contractions.
    {{"f32[2,3]", "f32[4,5]"},
     "f32[2,5] = contract(%0, %1) {map = \"mk,kn->mn\"}",
     "contract: axis 'k' has 3 in one operand and 4 in the other"},
    {{"f32[N,3]", "f32[4,3]"},
     "f32[] = contract(%0, %1) {map = \"ab,ab->\"}",
     "contract: axis 'a' has N in one operand and 4 in the other"},
    {{"f32[2,3]", "f32[3]"},
     "f32[2] = contract(%0, %1) {map = \"mk,kn->mn\"}",
     "contract: \"kn\" names 2 axes, but the shape is [3]"},
    {{"f32[N,3]", "f32[3]"}, "f32[3,N] = contract(%0, %1) {map = \"nk,k->kn\"}", "[3, N] is not a shape"},
    {{"f32[N,3]", "f32[3]"},
     "f32[3,2] = contract(%0, %1) {map = \"nk,k->kn\"}",
     "contract: the batch axis cannot be moved from the first place"},
    {{"f32[2]", "f32[2]"},
     "f32[2] = contract(%0, %1) {map = \"aa\"}",
     "contract: \"aa\" is no contraction: it must look like \"mk,kn->mn\""},
    {{"f32[2]", "f32[2]"},
     "f32[2] = contract(%0, %1) {map = \"a->a,a\"}",
     "contract: \"a->a,a\" is no contraction: it must look like \"mk,kn->mn\""},
    {{"f32[2,2]", "f32[2]"},
     "f32[2] = contract(%0, %1) {map = \"aa,a->a\"}",
     "contract: \"aa,a->a\" is no contraction: 'a' stands twice"},
    {{"f32[2]", "f32[2]"},
     "f32[2] = contract(%0, %1) {map = \"a,a->b\"}",
     "contract: \"a,a->b\" is no contraction: 'b' is in no operand"},
    {{"f32[2]", "f32[2]"},
     "f32[2] = contract(%0, %1) {map = \"1,a->a\"}",
     "contract: \"1,a->a\" is no contraction: axes are named by single letters"},
    {{"f32[65536]", "f32[32768]"}, "f32[65536,32768] = contract(%0, %1) {map = \"a,b->ab\"}", ""},
    {{"f32[65536]", "f32[32769]"},
     "f32[65536] = contract(%0, %1) {map = \"a,b->ab\"}",
     "contract: a value of 2147549184 elements is over the limit of 2147483648"},
    // Movements.
    {{"f32[4,3]"}, "f32[5] = reshape(%0)", "reshape: cannot reshape [4, 3] into [5]: 12 elements are not 5"},
    {{"f32[N,6]"}, "f32[N,2,3] = reshape(%0)", ""},
    {{"f32[N,6]"}, "f32[6] = reshape(%0)", "reshape: the batch axis cannot be reshaped"},
    {{"f32[6]"}, "f32[N,6] = reshape(%0)", "reshape: the batch axis cannot be reshaped"},
    {{"f32[3]"}, "f32[3,4] = broadcast(%0) {axes = [1]}", "broadcast: cannot broadcast [3] to [3, 4]"},
    {{"f32[3,3]"}, "f32[3,3] = broadcast(%0) {axes = [1, 0]}", "broadcast: axes must rise: [1, 0]"},
    {{"f32[3]"}, "f32[3] = broadcast(%0) {axes = []}", "broadcast: 'axes' needs one entry for each axis of [3], not 0"},
    {{"f32[N]"}, "f32[N,4] = broadcast(%0) {axes = [0]}", ""},
    {{"f32[3]"}, "f32[N,3] = broadcast(%0) {axes = [1]}", ""},
    {{"f32[]"}, "f32[2147483648] = broadcast(%0) {axes = []}", ""},
    {{"f32[]"},
     "f32[2147483649] = broadcast(%0) {axes = []}",
     "a value of 2147483649 elements is over the limit of 2147483648"},
    {{"f32[]"}, "f32[1,1,1,1,1,1,1,1] = broadcast(%0) {axes = []}", ""},
    {{"f32[]"}, "f32[1,1,1,1,1,1,1,1,1] = broadcast(%0) {axes = []}", "a value of 9 axes is over the limit of 8"},
    {{"f32[2,3]"}, "f32[3,2] = transpose(%0) {axes = [1, 1]}", "transpose: axis 1 stands twice in [1, 1]"},
    {{"f32[2,3]"}, "f32[3,2] = transpose(%0) {axes = [1, 2]}", "transpose: there is no axis 2 in the shape [2, 3]"},
    {{"f32[N,3]"},
     "f32[3,2] = transpose(%0) {axes = [1, 0]}",
     "transpose: the batch axis cannot be moved from the first place"},
    {{"f32[5]"},
     "f32[2] = slice(%0) {starts = [3], limits = [6], strides = [1]}",
     "slice: 3:6 is outside of axis 0 of [5]"},
    {{"f32[5]"},
     "f32[2] = slice(%0) {starts = [3], limits = [2], strides = [1]}",
     "slice: 3:2 is outside of axis 0 of [5]"},
    {{"f32[5]"}, "f32[2] = slice(%0) {starts = [1], limits = [2], strides = [0]}", "slice: a slice cannot step by 0"},
    {{"f32[5]"},
     "f32[2] = slice(%0) {starts = [1, 1], limits = [2], strides = [1]}",
     "slice: 'starts' needs one entry for each axis of [5], not 2"},
    {{"f32[N,5]"},
     "f32[N,5] = slice(%0) {starts = [1, 0], limits = [-1, 5], strides = [1, 1]}",
     "slice: the batch axis cannot be sliced"},
    {{"f32[5]"}, "f32[6] = pad(%0) {low = [-1], high = [2], value = 0}", "pad: padding cannot be negative"},
    {{"i32[5]"}, "i32[6] = pad(%0) {low = [1], high = [0], value = 0.5}", "pad: 0.5 is no i32"},
    {{"f32[N]"}, "f32[N] = pad(%0) {low = [1], high = [0], value = 0}", "pad: the batch axis cannot be padded"},
    {{"f32[1]"}, "f32[2147483648] = pad(%0) {low = [2147483647], high = [0], value = 0}", ""},
    {{"f32[1]"},
     "f32[1] = pad(%0) {low = [2147483648], high = [0], value = 0}",
     "pad: a value of 2147483649 elements is over the limit of 2147483648"},
    {{"f32[1]"},
     "f32[1] = pad(%0) {low = [9223372036854775807], high = [9], value = 0}",
     "pad: padding by 9223372036854775807 is over the limit of 2147483648 elements"},
    {{"f32[1]"}, "f32[1] = pad(%0) {low = [1], high = [0]}", "pad: 'pad' needs the attribute 'value'"},
    {{"f32[2]"}, "f32[2147483648] = spread(%0) {strides = [2147483647]}", ""},
    {{"f32[2]"},
     "f32[1] = spread(%0) {strides = [2147483648]}",
     "spread: a value of 2147483649 elements is over the limit of 2147483648"},
    {{"f32[2]"}, "f32[1] = spread(%0) {strides = [0]}", "spread: elements cannot be spread by 0"},
    {{"f32[N,2]"}, "f32[N,2] = spread(%0) {strides = [2, 1]}", "spread: the batch axis cannot be spread"},
    {{"f32[N,2]"}, "f32[N,2] = reverse(%0) {axes = [0]}", "reverse: the batch axis cannot be reversed"},
    {{"f32[2,3]", "f32[3,3]"}, "f32[5,3] = concat(%0, %1) {axis = 0}", ""},
    {{"f32[2,3]", "f32[3,3]"},
     "f32[2,6] = concat(%0, %1) {axis = 1}",
     "concat: shapes do not agree beside axis 1: [2, 3] and [3, 3]"},
    {{"f32[2]", "f32[2,2]"},
     "f32[4] = concat(%0, %1) {axis = 0}",
     "concat: shapes do not agree beside axis 0: [2] and [2, 2]"},
    {{"f32[N]", "f32[N]"}, "f32[N] = concat(%0, %1) {axis = 0}", "concat: the batch axis cannot be joined"},
    {{"f32[1073741824]", "f32[1073741824]"}, "f32[2147483648] = concat(%0, %1) {axis = 0}", ""},
    {{"f32[1073741824]", "f32[1073741825]"},
     "f32[1] = concat(%0, %1) {axis = 0}",
     "concat: a value of 2147483649 elements is over the limit of 2147483648"},
    {{"f32[3,2]", "i32[N,5]"}, "f32[N,5,2] = gather(%0, %1) {axis = 0}", ""},
    {{"f32[3,2]", "i32[5]"}, "f32[3,5] = gather(%0, %1) {axis = 1}", ""},
    {{"f32[3,2]", "f32[5]"}, "f32[5,2] = gather(%0, %1) {axis = 0}", "gather: indices must be i32, not f32"},
    {{"f32[3,2]", "i32[N]"},
     "f32[3,2] = gather(%0, %1) {axis = 1}",
     "gather: indices that depend on the sample need axis 0 of the table"},
    {{"each f32[3]", "i32[5]"},
     "each f32[5] = gather(%0, %1) {axis = 0}",
     "gather: a table cannot depend on the sample"},
    {{"f32[0,2]", "i32[5]"},
     "f32[5,2] = gather(%0, %1) {axis = 0}",
     "gather: axis 0 of [0, 2] has no elements to choose from"},
    {{"f32[3,3,3,3,3]", "i32[2,2,2,2,2]"},
     "f32[2] = gather(%0, %1) {axis = 0}",
     "gather: a value of 9 axes is over the limit of 8"},
    {{"f32[5,2]", "i32[5]"}, "f32[3,2] = scatter_add(%0, %1) {axis = 0}", ""},
    {{"f32[4,2]", "i32[5]"},
     "f32[3,2] = scatter_add(%0, %1) {axis = 0}",
     "scatter_add: shapes do not agree: [4, 2] and [5, 2]"},
    {{"each f32[2]", "each i32[]"},
     "f32[3,2] = scatter_add(%0, %1) {axis = 0}",
     "scatter_add: values of single samples are added up after batching only"},
    // Sources.
    {{}, "f32[2] = constant() {values = [1, 2]}", ""},
    {{}, "f32[N,2] = constant() {value = 1}", ""},
    {{}, "f32[3] = constant() {values = [1, 2]}", "constant: 2 values do not fill the shape [3]"},
    {{}, "f32[3] = constant()", "constant: a constant has either 'value' or 'values'"},
    {{}, "f32[1] = constant() {value = 1, values = [1]}", "constant: a constant has either 'value' or 'values'"},
    {{}, "i32[] = constant() {value = 2147483648}", "constant: 2147483648 is no i32"},
    {{}, "i32[] = constant() {value = nan}", "constant: nan is no i32"},
    {{}, "bool[] = constant() {value = 2}", "constant: 2 is no bool"},
    {{}, "each f32[] = constant() {value = 2}", "constant: a constant is the same for every sample"},
    {{}, "f32[N] = constant() {values = [2]}", "constant: a constant with a batch axis has one value for all elements"},
    {{}, "i32[] = iota() {axis = 0}", "iota: there is no axis 0 in the shape []"},
    {{}, "bool[2] = iota() {axis = 0}", "iota: numbers are needed here, not bool"},
    {{}, "each f32[] = tensor() {name = \"w\"}", "tensor: a tensor of the model cannot depend on the sample"},
    {{}, "f32[N] = tensor() {name = \"w\"}", "tensor: a tensor of the model cannot depend on the sample"},
    {{}, "f32[2] = tensor()", "tensor: 'tensor' needs the attribute 'name'"},
    {{}, "f32[2] = batch_size()", "batch_size: the number of samples is one number"},
    {{}, "i32[2] = random_uniform() {stream = 1}", "random_uniform: f32 or f64 is needed here, not i32"},
    {{},
     "each f32[2] = random_uniform() {stream = 1, per_step = 1}",
     "random_uniform: a draw for the whole step cannot depend on the sample"},
    {{}, "each f32[2] = random_uniform() {stream = 1, per_step = 0}", ""},
    {{}, "f32[2] = random_normal() {per_step = 1}", "random_normal: 'random_normal' needs the attribute 'stream'"},
    {{"f32[]"}, "f32[] = exp(%0) {axis = 1}", "exp: 'exp' has no attribute 'axis'"},
    // Gradients.
    {{"each f32[]", "each f32[3]"}, "each f32[3] = grad(%0, %1)", ""},
    {{"f32[N]", "f32[N,3]"}, "f32[N,3] = grad(%0, %1)", ""},
    {{"f32[2]", "f32[2]"}, "f32[2] = grad(%0, %1)", "grad: a gradient is taken of a scalar, not of [2]"},
    {{"each f32[]", "f32[3]"},
     "each f32[3] = grad(%0, %1)",
     "grad: the gradient of a value of each sample is taken by what depends on the sample"},
};

TEST(IrTypeRules, AcceptAndRefuse) {
  for (const RuleCase& c : kRuleCases) EXPECT_EQ(message_of(parse_body(body_of(c))), c.message) << body_of(c);
}

TEST(IrTypeRules, WrongKindOfAttribute) {
  const Type type{DType::f32, false, {2, 3}};
  const auto refused = infer_type(Op::reduce_sum, std::span(&type, 1), {{Key::axes, std::int64_t{1}}}, nullptr);
  EXPECT_EQ(message_of(refused), "attribute 'axes' is a list of integers, not an integer");
}

TEST(IrTypeRules, WhatNeedsARequestSaysSo) {
  const Type type{DType::f32, false, {2, 3}};
  const std::string message = "the type of the result must be given";
  EXPECT_EQ(message_of(infer_type(Op::reshape, std::span(&type, 1), {}, nullptr)), message);
  EXPECT_EQ(message_of(infer_type(Op::convert, std::span(&type, 1), {}, nullptr)), message);
  EXPECT_EQ(message_of(infer_type(Op::batch_size, {}, {}, nullptr)), message);
}

TEST(IrTypes, CountsSaturate) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({4, 0, 6}), 0);
  EXPECT_EQ(element_count({INT64_MAX, 3, 0}), 0);
  EXPECT_EQ(element_count({INT64_MAX, 3}), INT64_MAX);
  EXPECT_EQ(element_count({std::int64_t{1} << 32, std::int64_t{1} << 31}), INT64_MAX);
  EXPECT_EQ(element_count({std::int64_t{1} << 31, std::int64_t{1} << 31}), std::int64_t{1} << 62);
}

TEST(IrTypes, Names) {
  EXPECT_EQ(to_string(Type{DType::f32, false, {kBatch, 6}}), "f32[N,6]");
  EXPECT_EQ(to_string(Type{DType::boolean, true, {}}), "each bool[]");
  EXPECT_EQ(to_string(Shape{kBatch, 6}), "[N, 6]");
  const std::map<DType, std::size_t> sizes = {{DType::f32, 4}, {DType::f64, 8}, {DType::i32, 4}, {DType::boolean, 1}};
  for (const auto& [dtype, size] : sizes) {
    EXPECT_EQ(size_of(dtype), size);
    EXPECT_EQ(dtype_named(name_of(dtype)), dtype);
  }
  EXPECT_EQ(dtype_named("f16"), std::nullopt);
  EXPECT_EQ(row_major_strides({kBatch, 3, 4}), (std::vector<std::int64_t>{12, 4, 1}));
}

}  // namespace
}  // namespace tarn
