// The operation table: what ops.def lists, as an enum and a row of facts for each operation.
//
// ops.def is the only list of operations. Enum, names, text form, verifier, evaluator, gradients and their tests read
// it; nothing outside switches over operations.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/attributes.h"
#include "ir/diagnostics.h"
#include "ir/random.h"
#include "ir/type.h"

namespace tarn {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFF'FFFF;

enum class Op : std::uint8_t {
#define OPERATION(name, ...) name,
#include "ir/ops.def"
};

enum class OpClass : std::uint8_t {
  elementwise,  // operands and result have one shape; result[i] is a function of operand elements [i]
  reduction,    // some axes go
  contraction,  // a sum of products over shared axes
  // Movements: elements are moved, repeated or left out, never changed.
  view,      // an element's place in the operand is an affine function of its own: needs no memory
  assembly,  // parts are written beside each other, or among others, into memory of their own
  indexed,   // values of an operand say where elements come from
  source,    // no operands; the type is given by who makes it
  draw,      // random numbers: sources of which every element is computed
  control,   // expanded by a pass before code is generated
};
constexpr bool is_movement(OpClass op_class) {
  return op_class == OpClass::view || op_class == OpClass::assembly || op_class == OpClass::indexed;
}

// What an elementwise operation takes and gives: the name of its type rule.
enum class Signature : std::uint8_t {
  numeric,   // numbers of one type, and gives that type
  floating,  // real numbers of one type, and gives that type
  test,      // a real number, and gives a truth value
  logical,   // truth values, and gives one
  compare,   // values of one type, and gives a truth value
  select,    // a truth value and two values of one type, and gives that type
  convert,   // anything, and gives the type that is asked for
  any,       // anything, and gives its type
};

// Properties of an operation, as bits; what is not said does not hold.
enum Fact : std::uint16_t {
  kNoFacts = 0,
  kCommutative = 1,    // f(a, b) = f(b, a)
  kIntegers = 2,       // of integers, an integer (of a power, where it is whole)
  kRounds = 4,         // of anything, an integer
  kDivides = 8,        // by the second operand, which is never 0 where numbers of a model file are computed
  kMoves = 16,         // the value of an operand, in some type: counts as no floating-point operation
  kShows = 32,         // a floating-point result is NaN or infinite wherever an operand is
  kShowsFirst = 64,    // the same of the first operand only
  kNamesAllAxes = 128  // its attribute `axes` has an entry for every axis of the operand
};

// How people write an elementwise operation: a sign before or between operands (in printed plans and rules; operators
// of the language are in frontend/syntax/ast.h), or a function of the language with these parameters, or neither.
struct Notation {
  std::string_view sign, parameters;
};

// r = combine(r, x) for every element x, from the identity on. A reduction that gives an index finds the first element
// of those that combine, maximum or minimum, would choose.
struct ReductionInfo {
  Op combine;
  double identity;
  bool gives_index;
  bool finds_largest() const { return combine == Op::maximum; }
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
// Views: where their elements stand in the operand, and attributes that say so. See views.h.
struct ViewMap;
using ViewRule = Result<ViewMap> (*)(const Shape& operand, const Attributes& attributes, const Shape* requested);
using ViewAttributes = Attributes (*)(const Shape& operand, const ViewMap& map);

// A whole result in double precision.
using TensorFunction = HostTensor (*)(const EvaluationContext& context, const Node& node,
                                      std::span<const HostTensor* const> operands);

struct OpInfo {
  Op op;
  std::string_view name;
  OpClass op_class;
  std::string_view documentation;
  // Number of operands; kVariadic: one or more.
  int arity = 0;
  // Bit sets of Key: the attributes it may have, and those of them that may be left out.
  std::uint32_t keys = 0, optional_keys = 0;
  TypeRule type_rule = nullptr;
  // nullptr: the operation has no gradient, and asking for one is an error at the user's line.
  GradientRule gradient = nullptr;
  // Of computing an element, in additions: 0, 1, 4 (division and its like), kLongCost (a polynomial), kDrawCost.
  int cost = 0;
  std::uint16_t facts = kNoFacts;
  // Elementwise operations only.
  Signature signature = Signature::any;
  Notation notation = {};
  ScalarFunction scalar = nullptr;
  // All others but views.
  TensorFunction tensor = nullptr;
  std::optional<ReductionInfo> reduction = std::nullopt;    // reductions but batch_sum, which is gone after batching
  std::optional<Distribution> distribution = std::nullopt;  // random numbers
  ViewRule view_rule = nullptr;                             // views, and assemblies that are views as well
  ViewAttributes view_attributes = nullptr;                 // the same

  constexpr bool has(Fact fact) const { return (facts & fact) != 0; }
};

inline constexpr int kVariadic = -1;
// The cost of operations whose value is a chain of dozens of instructions, and of a random number.
inline constexpr int kLongCost = 10, kDrawCost = 30;

const OpInfo& info(Op op);
inline bool gives_index(Op op) { return info(op).reduction && info(op).reduction->gives_index; }
std::span<const OpInfo> all_operations();
std::optional<Op> op_named(std::string_view name);

// The type of the result, once number of operands and attributes (keys, kinds, none missing) are checked: what Builder,
// parser and verifier call. Fails with a message without a position.
Result<Type> infer_type(Op op, std::span<const Type> operands, const Attributes& attributes, const Type* requested);
inline std::string_view name_of(Op op) { return info(op).name; }

}  // namespace tarn
