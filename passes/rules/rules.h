// Rewrite rules: rows of equations, and the engine that applies them to a graph until none fits.
//
// A rule replaces one node by another of the same type and value. Most are written as algebra (pattern.h); what
// needs to look at attributes is a function. Every rule makes random examples of its own left side, and the tests
// evaluate both sides of each: a new row is tested without anybody writing a test.
//
// What a rule may change: the sign of a zero, and the last bits of a result where the doubles of the evaluator agree to
// 1e-12. What changes more (an order of sums, NaN or infinity in a step whose values are finite otherwise) is marked
// changes_rounding, and is left out unless the user allows it. A rule must not make a graph larger or undo another one:
// together they end.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "ir/builder.h"

namespace tarn {

// What a rule gets: the builder of the graph that is being made, and what is known of its nodes.
class RewriteSite {
 public:
  explicit RewriteSite(Builder& builder) : builder_(builder) {}
  Builder& builder() { return builder_; }
  // How many uses the node will have by nodes and results that were there before the rewriting; 0 where it was just
  // made.
  std::uint32_t uses(NodeId id) const { return id < uses_.size() ? uses_[id] : 0; }
  void add_uses(NodeId id, std::uint32_t count);

 private:
  Builder& builder_;
  std::vector<std::uint32_t> uses_;
};

// Makes random examples of left sides: variables are inputs "v0", "v1", … of f64.
class ExampleMaker {
 public:
  ExampleMaker(Builder& builder, std::uint64_t seed) : builder_(builder), random_(seed) {}
  Builder& builder() { return builder_; }
  // A new input.
  NodeId variable(const Shape& shape, DType dtype = DType::f64);
  // A shape of rank least … 3 with extents 1 … 4, at times with the batch axis first.
  Shape shape(std::size_t least_rank = 0);
  // Uniform on 0 … count - 1.
  std::int64_t below(std::int64_t count);
  // A random subset of `rank` axes, rising.
  std::vector<std::int64_t> some_axes(std::size_t rank);
  // A random order of `rank` axes; the batch axis stays first.
  std::vector<std::int64_t> order(const Shape& shape);
  std::mt19937_64& random() { return random_; }

 private:
  Builder& builder_;
  std::mt19937_64 random_;
  int variables_ = 0;
};

// Operand number i of a node of the graph that is being rewritten.
inline NodeId operand(Builder& builder, NodeId id, std::size_t i = 0) { return builder.node(id).inputs[i]; }

struct Rule {
  std::string name;
  std::string equation;
  std::vector<Op> roots;  // the operations of the node that is replaced
  // The replacement of the node, or kNoNode where the rule does not fit.
  std::function<NodeId(RewriteSite&, NodeId)> apply;
  // A node that the rule fits.
  std::function<NodeId(ExampleMaker&)> example;
  bool changes_rounding = false;
};

// The equations of numbers and booleans.
std::span<const Rule> algebra_rules();
// Shapes: reshape, broadcast, transpose, slice, pad, concat and how they pass reductions, products and elementwise
// operations.
std::span<const Rule> movement_rules();
// Operations on constants.
std::span<const Rule> folding_rules();
// log(softmax), log(sigmoid), …: part of the language's meaning.
std::span<const Rule> stable_form_rules();

using RuleHits = std::map<std::string, std::uint64_t>;

// Applies the rules until none fits (or kMaxRounds rounds have passed) and drops dead nodes. Time is linear in the
// nodes for each round. Adds to `hits` how often each rule fired.
Graph rewrite(const Graph& graph, const std::vector<const Rule*>& rules, RuleHits& hits);
inline constexpr int kMaxRounds = 64;

// Rules of several tables in one list; those that change rounding only where that is allowed.
std::vector<const Rule*> select_rules(std::initializer_list<std::span<const Rule>> tables,
                                      bool allow_changes_of_rounding);

}  // namespace tarn
