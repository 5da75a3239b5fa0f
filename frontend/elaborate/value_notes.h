// What is known of nodes beside what they compute: which function gave them, and what the train block makes of that.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "frontend/elaborate/reports.h"
#include "ir/program.h"

namespace tarn::elaboration {

class ValueNotes {
 public:
  explicit ValueNotes(Reports& reports) : reports_(reports) {}

  // A function is called: a loss that is evaluated compares its first two arguments.
  void note_comparison(const FunctionValue& function);
  // It has given a value: which ones are better, where it says so.
  void note_direction(const FunctionValue& function, const Value& result);
  Better direction_of(const Value& value) const;
  // A node, by the number of its graph.
  using NodeKey = std::pair<std::uint32_t, NodeId>;
  void set_direction(NodeKey node, Better better) { directions_[node] = better; }

  std::unordered_map<NodeId, std::string> loss_functions;  // of the graph at work: first argument of a loss -> its name
  // Means of a metric that leave some elements out: what they are means of, times what counts, which is 0 or 1.
  struct Counted {
    NodeId each, counts;
  };
  std::map<NodeKey, Counted> counted;
  // While a loss is evaluated: first and second arguments of the functions that are called.
  std::vector<std::pair<NodeId, NodeId>>* compared = nullptr;

 private:
  Reports& reports_;
  std::map<NodeKey, Better> directions_;  // where the function that gave it says so
};

}  // namespace tarn::elaboration
