// The operation table: what ops.def lists, as an enum and a row of facts for each operation.
//
// ops.def is the only list of operations. Enum, names, text form, verifier, evaluator, gradients and their tests read
// it; nothing outside switches over all operations.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/attributes.h"
#include "ir/diagnostics.h"
#include "ir/type.h"

namespace tarn {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFF'FFFF;

enum class Op : std::uint8_t {
#define ELEMENTWISE(name, ...) name,
#define OPERATION(name, ...) name,
#include "ir/ops.def"
};

enum class OpClass : std::uint8_t {
  elementwise,  // operands and result have one shape; result[i] is a function of operand elements [i]
  reduction,    // some axes go
  contraction,  // a sum of products over shared axes
  movement,     // elements are moved, repeated or left out, never changed
  source,       // no operands; the type is given by who makes it
  control,      // expanded by a pass before code is generated
};

class Graph;
class Builder;
struct Node;
struct HostTensor;
struct EvaluationContext;

// The type of the result from those of the operands. `requested` is the type that the maker asks for: operations whose
// result type does not follow from the operands (sources, reshape, broadcast, convert) take shape and dtype from it,
// all others ignore it. A failure carries a message without a position; the frontend adds that.
using TypeRule = Result<Type> (*)(std::span<const Type> operands, const Attributes& attributes, const Type* requested);

// Given node and the gradient of some scalar by it, the gradient by each operand (kNoNode where none flows), made
// through the builder.
using GradientRule = std::vector<NodeId> (*)(Builder& builder, NodeId node, NodeId gradient);

// An element of the result in double precision; operands beyond the arity are 0.
using ScalarFunction = double (*)(double a, double b, double c);
// A whole result in double precision.
using TensorFunction = HostTensor (*)(const EvaluationContext& context, const Node& node,
                                      std::span<const HostTensor* const> operands);

struct OpInfo {
  Op op;
  std::string_view name;
  OpClass op_class;
  // Number of operands; kVariadic: one or more.
  int arity;
  std::uint32_t keys;  // bit set of Key: the attributes it may have
  TypeRule type_rule;
  // nullptr: the operation has no gradient, and asking for one is an error at the user's line.
  GradientRule gradient;
  ScalarFunction scalar;  // elementwise operations only
  TensorFunction tensor;  // all others
  std::string_view documentation;
};

inline constexpr int kVariadic = -1;

const OpInfo& info(Op op);
std::span<const OpInfo> all_operations();
std::optional<Op> op_named(std::string_view name);

// The type of the result, once number of operands and attributes (keys, kinds, none missing) are checked: what Builder,
// parser and verifier call. Fails with a message without a position.
Result<Type> infer_type(Op op, std::span<const Type> operands, const Attributes& attributes, const Type* requested);
inline std::string_view name_of(Op op) { return info(op).name; }

}  // namespace tarn
