// A graph while it is built and what the language allows in it; and which of them is the one at work.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "frontend/elaborate/values.h"
#include "ir/builder.h"
#include "ir/program_functions.h"

namespace tarn::elaboration {

// What is allowed follows from the facts of the function that the graph is for; what is so for one function alone, who
// makes its graph says.
struct GraphContext {
  GraphContext(const FunctionInfo& of, std::uint32_t graph_number, std::shared_ptr<Locations> locations, DType type)
      : function(of),
        number(graph_number),
        graph(std::move(locations)),
        builder(graph),
        float_type(type),
        training(of.has(kCountsSteps)),
        across_samples(of.has(kAcrossSamples)),
        has_objective(of.has(kHasTargets)),
        updates_states(of.has(kCountsSteps)) {}
  GraphContext(const GraphContext&) = delete;
  GraphContext& operator=(const GraphContext&) = delete;

  const FunctionInfo& function;
  std::uint32_t number;
  Graph graph;
  Builder builder;
  DType float_type;                                      // of literals and draws that meet no other type
  bool training;                                         // the compile-time constant `training`
  bool across_samples;                                   // batch_sum and its kin are allowed
  bool has_objective;                                    // regularizers and penalties are wanted
  bool updates_states;                                   // `<-` of layers' states is stored
  bool adapts = false;                                   // `adapt` blocks are run
  bool report = false;                                   // metrics are read, not updated
  bool per_step_draws = false;                           // initializers and optimizers: one draw a step
  std::string draw_path;                                 // what draws belong to, where it is not the instance at work
  std::unordered_map<std::string, std::uint64_t> draws;  // how many there were, by path
  std::unordered_map<std::string, NodeId> current;       // next value of each updated tensor
  std::vector<std::string> updated;                      // their names in order of first update
  std::unordered_set<std::string> declared;              // parameters and states that were met in this graph
  std::vector<NodeId> regularizers, penalties;           // scalars to add to the objective; penalties may be per sample
};

// The graphs of one compilation. Only while one is at work may anything but has_current() be asked.
class Graphs {
 public:
  explicit Graphs(DType float_type) : float_type_(float_type) {}

  std::unique_ptr<GraphContext> make(const FunctionInfo& function) {
    return std::make_unique<GraphContext>(function, ++count_, locations, float_type_);
  }

  bool has_current() const { return current_ != nullptr; }
  GraphContext& current() const { return *current_; }
  Builder& builder() const { return current_->builder; }
  const Type& type_of(const TensorValue& tensor) const { return current_->graph[tensor.node].type; }
  // A node of the graph at work as a value, and whether a value is one.
  Value tensor(NodeId node) const { return TensorValue{node, current_->number, false, {}}; }
  bool owns(const TensorValue& tensor) const { return tensor.graph == current_->number; }

  // Makes another graph the one at work, until it goes out of scope.
  class Working {
   public:
    Working(Graphs& graphs, GraphContext& graph) : graphs_(graphs), before_(graphs.current_) {
      graphs.current_ = &graph;
    }
    ~Working() { graphs_.current_ = before_; }
    Working(const Working&) = delete;
    Working& operator=(const Working&) = delete;

   private:
    Graphs& graphs_;
    GraphContext* before_;
  };

  std::shared_ptr<Locations> locations = std::make_shared<Locations>();
  std::unique_ptr<GraphContext> init;  // where first values are stored

 private:
  DType float_type_;
  std::uint32_t count_ = 0;
  GraphContext* current_ = nullptr;
};

}  // namespace tarn::elaboration
