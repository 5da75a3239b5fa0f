// The syntax tree of a Tarn file: what the parser makes and the elaborator reads.
//
// Invariants of a tree that parsed without errors:
//  - A pointer to an expression is null only where the member's comment says so.
//  - Every node has a span: the stretch of source to put the caret under. What goes over several lines is cut at the
//  end of
//    its first line. Parentheses leave no node and no trace in the span of what they hold.
//  - No path from the root to a leaf of one statement is longer than kMaxDepth nodes, and brackets, blocks, lambdas,
//    conditionals and signs nest at most kMaxNesting deep, so that recursion over the tree is safe.
// The parser checks syntax only: whether a name exists, a key is known or a statement makes sense where it stands is
// the elaborator's business. Nodes are read through std::visit or std::get_if on `node`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/diagnostics.h"

namespace tarn::ast {

inline constexpr int kMaxNesting = 200;
inline constexpr int kMaxDepth = 1000;

// A visitor of the kinds of a node: one function for each.
template <class... Functions>
struct Overload : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overload(Functions...) -> Overload<Functions...>;

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;

// A name where it is declared, assigned, or used as a key.
struct Identifier {
  std::string name;
  Span span;
};

// `enc.dense_1.kernel` in `for` and `freeze` lists: at least one part.
struct Path {
  std::vector<Identifier> parts;
  Span span;

  // The parts joined by dots.
  std::string text() const;
};

// ---------------------------------------------------------------- expressions

// A number that is spelled without fraction and exponent is an integer, and `value` is the nearest double of `integer`.
struct Number {
  double value = 0;
  bool is_integer = false;
  std::int64_t integer = 0;
  std::string spelling;
};

struct Boolean {
  bool value = false;
};

struct None {};

// A use of a name. `pi`, `training`, `step`, `epoch` are names like any other.
struct Name {
  std::string name;
};

// "kernel has {n} rows": literal texts, with escapes resolved, and expressions in the order of the source. A string
// without interpolation has at most one part.
struct String {
  struct Part {
    std::string text;
    ExpressionPtr expression;  // null: the part is `text`
  };
  std::vector<Part> parts;

  // The text of a string without interpolation; nothing where there is an expression in it.
  std::optional<std::string> literal() const;
};

struct List {
  std::vector<ExpressionPtr> elements;
};

// [element for a, b in list if condition]
struct Comprehension {
  ExpressionPtr element;
  std::vector<Identifier> names;  // at least one; several take the elements of a list apart
  ExpressionPtr list;
  ExpressionPtr condition;  // null: all
};

// {0: 1, "rare": 2.5}; only as an argument of a setting.
struct Map {
  struct Entry {
    ExpressionPtr key;
    ExpressionPtr value;
  };
  std::vector<Entry> entries;
};

enum class UnaryOperator { negate, logical_not };
enum class BinaryOperator {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  remainder,
  product,  // @
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  range,  // a..b
  logical_and,
  logical_or,
};
// As it is spelled in the source: "-", "not"; "//", "and".
std::string_view spelling(UnaryOperator op);
std::string_view spelling(BinaryOperator op);

struct Unary {
  UnaryOperator op = UnaryOperator::negate;
  ExpressionPtr operand;
};

struct Binary {
  BinaryOperator op = BinaryOperator::add;
  Span operator_span;
  ExpressionPtr left;
  ExpressionPtr right;
};

// value |> function; where `function` is a Call, the elaborator decides by what is called: f(a)(value) or f(value, a).
struct Pipe {
  Span operator_span;
  ExpressionPtr value;
  ExpressionPtr function;
};

// if condition then a else b
struct Conditional {
  ExpressionPtr condition;
  ExpressionPtr then_value;
  ExpressionPtr else_value;
};

// Positional arguments stand before named ones; no name is given twice.
struct Argument {
  std::optional<Identifier> name;
  ExpressionPtr value;
};

struct Call {
  ExpressionPtr callee;  // its span is the callee's own
  std::vector<Argument> arguments;
};

// x[0, 1:3, :]
struct Index {
  struct Item {
    bool is_slice = false;
    Span span;
    ExpressionPtr index;  // null for a slice
    ExpressionPtr begin;  // of a slice; null: from the start
    ExpressionPtr end;    // of a slice; null: to the end
  };
  ExpressionPtr object;
  std::vector<Item> items;  // at least one
};

// object.name
struct Member {
  ExpressionPtr object;
  Identifier name;
};

struct Parameter {
  Identifier name;
  ExpressionPtr default_value;  // null: required
};

// x => body, (a, b = 1) => body
struct Lambda {
  std::vector<Parameter> parameters;
  ExpressionPtr body;
};

struct Block {
  std::vector<Statement> statements;
};

// scan(p in sequence, h = first, …) { body }
struct Scan {
  struct Sequence {
    Identifier name;
    ExpressionPtr value;
  };
  struct Carry {
    Identifier name;
    ExpressionPtr first;
  };
  std::vector<Sequence> sequences;  // at least one
  std::vector<Carry> carries;
  Block body;
};

struct Expression {
  Span span;
  // Nodes on the longest path from here to a leaf.
  int depth = 1;
  std::variant<Number, Boolean, None, Name, String, List, Comprehension, Map, Unary, Binary, Pipe, Conditional, Call,
               Index, Member, Lambda, Scan>
      node;
};

// ---------------------------------------------------------------- statements

using Shape = std::vector<ExpressionPtr>;

// import "file.tarn" or import keras1
struct Import {
  std::string name;
  Span name_span;
  bool is_file = false;  // with quotes: a path relative to the importing file; without: a module of the prelude
};

// const name = value
struct Const {
  Identifier name;
  ExpressionPtr value;
};

enum class FunctionKind { function, layer, optimizer, metric };
// "fn", "layer", "optimizer", "metric"
std::string_view spelling(FunctionKind kind);

// Which values of what a function gives are the better ones: `larger is better`, `smaller is better`, or those that are
// better of an argument, `better as value`.
struct Direction {
  bool larger = false;
  std::optional<Identifier> as;
};

// fn name(a, b = 1)(c) = expression, or with a block; with a direction before these
struct Function {
  FunctionKind kind = FunctionKind::function;
  Identifier name;
  std::vector<std::vector<Parameter>> parameter_lists;  // at least one
  std::optional<Direction> direction;                   // of functions and metrics
  ExpressionPtr expression;                             // null: the body is `block`
  Block block;
};

// model name { … }
struct Model {
  Identifier name;
  Block block;
};

struct Train {
  Block block;
};

// data { … }, data validation { … }
struct Data {
  std::optional<Identifier> name;
  Block block;
};

// What input, target, param, state and slot have in common.
enum class VariableKind { input, target, parameter, state, slot };
// "input", "target", "param", "state", "slot"
std::string_view spelling(VariableKind kind);

// param name[shape]: type = initial, regularizer = l2, trainable = false
struct Variable {
  VariableKind kind = VariableKind::input;
  Identifier name;
  std::optional<Shape> shape;      // nothing: no brackets; empty: []
  std::optional<Identifier> type;  // "f32", …; not checked by the parser
  ExpressionPtr initial;           // null: none is given; always null for input and target
  std::vector<Argument> options;   // all named
};

// output name = value, output name
struct Output {
  Identifier name;
  ExpressionPtr value;  // null: the value that the name has
};

// a = e, and a, b = e for several values
struct Assignment {
  std::vector<Identifier> targets;
  ExpressionPtr value;
};

// target <- value
struct Update {
  Identifier target;
  ExpressionPtr value;
};

struct Return {
  std::vector<ExpressionPtr> values;  // at least one
};

struct If {
  struct Branch {
    ExpressionPtr condition;
    Block block;
  };
  std::vector<Branch> branches;  // if, else if, …; at least one
  std::optional<Block> otherwise;
};

// for i in list { … }
struct For {
  std::vector<Identifier> names;  // at least one; several take the elements of a list apart
  ExpressionPtr list;
  Block block;
};

// repeat count { … }
struct Repeat {
  ExpressionPtr count;
  Block block;
};

// check condition, "message {value}"
struct Check {
  ExpressionPtr condition;
  ExpressionPtr message;  // a String; null: none is given
};

struct Penalty {
  ExpressionPtr value;
};

struct Adapt {
  Block block;
};

// An application for what it does: `base(w, g)` in an optimizer. A Call or a Pipe.
struct Evaluate {
  ExpressionPtr value;
};

enum class TermKind { loss, metric, optimizer };
// "loss", "metric", "optimizer"
std::string_view spelling(TermKind kind);

// In train: loss [name =] value [for paths], metric [name =] value, optimizer value [for paths]
struct Term {
  TermKind kind = TermKind::loss;
  std::optional<Identifier> name;
  ExpressionPtr value;
  std::vector<Path> paths;  // empty: all parameters
};

// Every other line of train and data: epochs 1000; freeze a, b.c; checkpoint("p", best = true); class_weight {0: 1};
// npy x = "x.npy", t = "t.npy"; drop_missing; clip_norm 1 for gen. Whether the key is known is not the parser's
// business.
struct Setting {
  Identifier key;
  std::vector<Argument> arguments;  // a value may be a Map
  std::vector<Path> paths;          // after `for`
};

struct Statement {
  // The first line of the statement, from its first word to the last token on it.
  Span span;
  std::variant<Import, Const, Function, Model, Train, Data, Variable, Output, Assignment, Update, Return, If, For,
               Repeat, Check, Penalty, Adapt, Evaluate, Term, Setting>
      node;
};

struct File {
  FileId id = 0;
  // Import, Const, Function, Model, Train and Data only.
  std::vector<Statement> statements;
};

}  // namespace tarn::ast
