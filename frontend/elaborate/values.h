// Values of the elaborator: what an expression of Tarn can be while a graph is built.
//
// Invariants: a TensorValue names a node of the graph whose number it carries and is used in no other; an ErrorValue
// stands for something that was reported already, and whatever meets one becomes one without a further word. Values are
// immutable and cheap to copy.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "frontend/syntax/ast.h"
#include "ir/op.h"

namespace tarn::elaboration {

class Environment;
struct Module;
struct Instance;
struct Builtin;
class Value;

struct ErrorValue {};
struct NoneValue {};

// A compile-time number. Integers are those that may count things: `6`, `n // 2`, not `6 / 2`.
struct NumberValue {
  double value = 0;
  bool is_integer = false;
};

struct TensorValue {
  NodeId node = kNoNode;
  std::uint32_t graph = 0;  // GraphContext::number
  // step, epoch, hyper-parameters and scalars made of them alone: f64 among themselves, of the other's type when they
  // meet a tensor.
  bool weak = false;
  // A hyper-parameter given as a number, and what follows from such alone, has this value where a compile-time value is
  // asked for.
  std::optional<double> known;
};

struct ListData;
struct ListValue {
  std::shared_ptr<const ListData> data;
  bool several = false;  // what `return a, b` gives; may be taken apart by `a, b = …`
};

// A function or layer with as many of its parameter lists filled as are known.
struct FunctionValue {
  const ast::Function* declaration = nullptr;  // one of the two is set
  const ast::Lambda* lambda = nullptr;
  Module* module = nullptr;            // where free names of a declaration are looked up
  Environment* environment = nullptr;  // … and those of a lambda
  std::vector<std::vector<Value>>
      bound;                     // one for each parameter list that has its arguments, in the order of the parameters
  Instance* instance = nullptr;  // layers with their configuration, and lambdas: what its parameters belong to

  int depth = 1;  // how deep values are inside values

  std::size_t list_count() const { return declaration ? declaration->parameter_lists.size() : 1; }
  const std::vector<ast::Parameter>& parameters(std::size_t list) const {
    return declaration ? declaration->parameter_lists[list] : lambda->parameters;
  }
  bool is(ast::FunctionKind kind) const { return declaration != nullptr && declaration->kind == kind; }
  bool is_layer() const { return is(ast::FunctionKind::layer); }
  // "layer 'dense'", "function 'relu'"; of a lambda "function".
  std::string description() const;
};
using FunctionPtr = std::shared_ptr<const FunctionValue>;

class Value {
 public:
  using Variant = std::variant<ErrorValue, NoneValue, NumberValue, bool, std::string, ListValue, TensorValue,
                               FunctionPtr, const Builtin*>;

  Value() = default;
  template <class T>
    requires std::is_constructible_v<Variant, T&&> && (!std::is_same_v<std::remove_cvref_t<T>, Value>)
  Value(T&& value) : value_(std::forward<T>(value)) {}

  template <class T>
  const T* get() const {
    return std::get_if<T>(&value_);
  }
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(value_);
  }
  bool is_error() const { return is<ErrorValue>(); }
  const FunctionValue* function() const {
    const FunctionPtr* p = get<FunctionPtr>();
    return p != nullptr ? p->get() : nullptr;
  }
  // Elements of a list; nullptr for anything else.
  const std::vector<Value>* list() const;

 private:
  Variant value_;
};

// What a list holds, and what it costs to look through all of it: lists share their elements, so a short program can
// make a list of 2^60 numbers.
struct ListData {
  std::vector<Value> elements;
  std::uint64_t total = 1;  // lists and elements inside it, however deep, itself included; saturates
  int depth = 1;
  bool numeric = true;  // numbers, truth values and lists of such only
};

// Values may hold values this deep, so that recursion over them, and their destruction, are safe.
inline constexpr int kMaxValueDepth = 200;
int depth_of(const Value& value);
// Lists and elements inside a list; 1 for anything else.
std::uint64_t total_of(const Value& value);

Value integer(std::int64_t value);
Value real(double value);
Value make_list(std::vector<Value> elements, bool several = false);
Value make_list(const Shape& shape);

// Whether it is a number, a truth value, or a list of nothing else.
bool is_numeric(const Value& value);

// What kind of thing it is, with an article: "a number", "a list", "none".
std::string kind_of(const Value& value);
// As in messages: 3, 0.5, "text", [4, 6]; long lists are cut.
std::string to_text(const Value& value);
// Shortest text that reads back to the number.
std::string to_text(double number);

// A literal array: rectangular nested lists of numbers.
struct ArrayLiteral {
  Shape shape;
  std::vector<double> values;  // row-major
  bool integers = true;        // all of them
  bool truth_values = true;
};
// What is wrong instead, where the value is none: "rows of different lengths", "an element is a string".
struct NotAnArray {
  std::string reason;
};
// `most`: how many numbers it may have.
std::variant<ArrayLiteral, NotAnArray> to_array(const Value& value, std::size_t most);

}  // namespace tarn::elaboration
