// The table of tensors: parameters, states, slots, hyper-parameters, counters and metrics by name, and what they are
// worth in the graph at work.
//
// The model is elaborated once for each graph, so a tensor is declared as often: declare() sees to it that it comes out
// the same each time.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/elaborate/reports.h"
#include "ir/program.h"

namespace tarn::elaboration {

// A constraint, applied by the optimizer to the parameter's new value.
struct Constraint {
  Value function;
  Span span;
  std::vector<Frame> frames;
};

class TensorTable {
 public:
  TensorTable(Reports& reports, Graphs& graphs) : reports_(reports), graphs_(graphs) {}

  // Adds to the table; where it is there already it must be the same. Gives nullptr after an error.
  TensorInfo* declare(TensorInfo info, Span span);
  TensorInfo* find(std::string_view name);

  // A name's value: its next one where there is one.
  Value read(const std::string& name);
  // As it is before the step.
  NodeId node(const std::string& name);
  void set_next(const std::string& name, NodeId node);

  // The f64 counter "step" (batches done) or "epoch", as it stands in the program.
  NodeId counter(std::string_view name, Span span);
  // A hyper-parameter given as a number: its tensor, which is declared on the first call.
  Value hyper_parameter(const std::string& name, double value, Span span);

  std::vector<TensorInfo> all;                              // in order of declaration
  std::unordered_map<std::string, Constraint> constraints;  // by parameter

 private:
  Reports& reports_;
  Graphs& graphs_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

}  // namespace tarn::elaboration
