// Says where a NaN or an infinity came from: the failed step is run again, one operation after the other, by the
// reference evaluator.
//
// Where it was an update that was not finite, the state is that behind the step: the elements at fault are the old
// ones, so that what made them shows again.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/evaluator.h"
#include "ir/program_functions.h"
#include "passes/pipeline.h"
#include "passes/plan/guarded_stores.h"
#include "runtime/files/value_check.h"
#include "runtime/training/training.h"

namespace tarn {

namespace {

HostTensor rows_as_doubles(const InputInfo& input, const void* array, const std::vector<std::uint64_t>& rows) {
  HostTensor tensor;
  tensor.shape = input.type.shape;
  tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(rows.size()));
  const auto size = static_cast<std::size_t>(element_count(input.type.shape));
  for (std::uint64_t row : rows) {
    for (std::size_t i = 0; i < size; ++i) tensor.data.push_back(value_at(input.type.dtype, array, row * size + i));
  }
  return tensor;
}

// The number of the first element that is not finite.
std::optional<std::size_t> first_not_finite(const HostTensor& tensor, DType dtype) {
  const auto found = std::ranges::find_if(tensor.data, [&](double value) { return !is_finite_as(value, dtype); });
  if (found == tensor.data.end()) return std::nullopt;
  return static_cast<std::size_t>(found - tensor.data.begin());
}

const char* what_is(double value) { return std::isnan(value) ? "a NaN" : "an infinity"; }

class Explanation {
 public:
  Explanation(const Session& session, const FailedStep& step) : session_(session), step_(step) {
    const auto batch = static_cast<std::uint64_t>(program().settings.batch);
    number_ = step.first / batch + 1;
    for (std::uint64_t i = step.first; i < std::min(step.first + batch, step.rows.count); ++i)
      rows_.push_back(step.order != nullptr ? step.order[i] : i);
  }

  Diagnostic make() {
    headline({});
    const EvaluationContext context = evaluation_context();
    if (blame_input(context) || blame_tensor(context)) return std::move(failure_);
    PassContext passes;
    const Result<Graph> graph = lower_meaning(program().graphs.at(step_.graph), passes);
    if (!graph) return std::move(failure_);
    const Result<std::vector<HostTensor>> values = evaluate_nodes(*graph, context);
    if (values) blame_operation(*graph, *values);
    return std::move(failure_);
  }

 private:
  const Program& program() const { return session_.program(); }
  bool is_update() const { return step_.outcome == Outcome::update_not_finite; }

  // `tensor`: whose new value is not finite, where that is known.
  void headline(const std::string& tensor) {
    if (step_.graph == "adapt") {
      const std::string what = tensor.empty() ? "a state" : fmt::format("'{}'", tensor);
      failure_.message = fmt::format(
          "{}, which is fitted to the data before training, became NaN or infinite in batch {}; it was not stored",
          what, number_);
    } else if (is_update()) {
      const std::string what = tensor.empty() ? "an update" : fmt::format("the new value of '{}'", tensor);
      failure_.message =
          fmt::format("{} became NaN or infinite in epoch {}, batch {}; it was not stored, and training stopped there",
                      what, step_.epoch, number_);
    } else {
      failure_.message =
          fmt::format("the loss became NaN or infinite in epoch {}, batch {}; training stopped before that step",
                      step_.epoch, number_);
    }
  }

  EvaluationContext evaluation_context() const {
    EvaluationContext context;
    context.rounds = true;
    context.batch = static_cast<std::int64_t>(rows_.size());
    context.seed = session_.seed();
    for (std::size_t i = 0; i < program().inputs.size(); ++i) {
      const InputInfo& input = program().inputs[i];
      if (step_.rows.arrays[i] != nullptr)
        context.inputs[input.name] = rows_as_doubles(input, step_.rows.arrays[i], rows_);
    }
    for (const TensorInfo& tensor : program().tensors) {
      HostTensor value;
      value.shape = tensor.type.shape;
      if (tensor.kind == TensorKind::metric) {
        value.data.assign(static_cast<std::size_t>(element_count(tensor.type.shape)), tensor.initial);
      } else {
        value.data = session_.tensor(tensor.name).to_doubles();
      }
      context.tensors[tensor.name] = std::move(value);
    }
    const auto step = context.tensors.find("step");
    if (step == context.tensors.end() || !function_named(step_.graph).has(kCountsSteps)) return context;
    if (is_update()) step->second.data[0] -= 1;  // counted already
    context.step = static_cast<std::uint64_t>(step->second.data[0]);
    return context;
  }

  // " in row 2 of the batch, row 34 of the data" for an element of a tensor that has the rows in front.
  std::string place_of(std::size_t element, const HostTensor& tensor) const {
    const std::size_t row = element / (tensor.data.size() / rows_.size());
    return fmt::format(" in row {} of the batch, row {} of the data", row + 1, rows_[row] + 1);
  }

  bool blame_input(const EvaluationContext& context) {
    for (const InputInfo& input : program().inputs) {
      const auto found = context.inputs.find(input.name);
      if (found == context.inputs.end()) continue;
      const HostTensor& value = found->second;
      const auto element = first_not_finite(value, input.type.dtype);
      if (!element) continue;
      failure_.notes.push_back(
          {{}, fmt::format("'{}' holds {}{}", input.name, what_is(value.data[*element]), place_of(*element, value))});
      return true;
    }
    return false;
  }

  // No step stores what is not finite.
  bool blame_tensor(const EvaluationContext& context) {
    for (const TensorInfo& tensor : program().tensors) {
      if (tensor.kind != TensorKind::parameter) continue;
      const HostTensor& value = context.tensors.at(tensor.name);
      const auto element = first_not_finite(value, tensor.type.dtype);
      if (!element) continue;
      failure_.notes.push_back({{},
                                fmt::format("'{}' holds {} that no step made: it began with it", tensor.name,
                                            what_is(value.data[*element]))});
      return true;
    }
    return false;
  }

  void blame_operation(const Graph& graph, const std::vector<HostTensor>& values) {
    std::vector<bool> bad(graph.size());
    for (NodeId id = 0; id < graph.size(); ++id) {
      bad[id] = is_floating(graph[id].type.dtype) && first_not_finite(values[id], graph[id].type.dtype).has_value();
    }
    std::vector<NodeId> results;
    for (const GraphResult& result : graph.results()) {
      const bool wanted = result.kind == (is_update() ? ResultKind::store : ResultKind::loss);
      const TensorInfo* const tensor = program().find_tensor(result.name);
      if (!wanted || !bad[result.node] || (tensor != nullptr && tensor->kind == TensorKind::metric)) continue;
      // A parameter is what the user knows best.
      const bool is_parameter = tensor != nullptr && tensor->kind == TensorKind::parameter;
      if (results.empty() || (is_parameter && !names_parameter_)) headline(result.name);
      names_parameter_ = names_parameter_ || is_parameter;
      results.push_back(result.node);
    }
    const std::optional<NodeId> origin = origin_of(graph, bad, std::move(results));
    if (!origin) {
      failure_.notes.push_back({{}, "the step, evaluated again, is finite: it is the order of sums that decides"});
      return;
    }
    const Node& node = graph[*origin];
    failure_.span = graph.locations()->outermost(node.location);
    failure_.notes = graph.locations()->backtrace(node.location);
    const std::string derived = derived_from(graph, *origin);
    std::string text = fmt::format("the first operation that gave one is '{}'", name_of(node.op));
    if (!derived.empty()) text += fmt::format(", in the gradient of '{}'", derived);
    if (has_batch(node.type.shape)) {
      const HostTensor& value = values[*origin];
      text += "," + place_of(*first_not_finite(value, node.type.dtype), value);
    }
    failure_.notes.insert(failure_.notes.begin(), {{}, std::move(text)});
  }

  // The first of the operations that gave one of what is finite, on the way to the results.
  static std::optional<NodeId> origin_of(const Graph& graph, const std::vector<bool>& bad, std::vector<NodeId> left) {
    std::set<NodeId> seen;
    std::optional<NodeId> first;
    while (!left.empty()) {
      const NodeId id = left.back();
      left.pop_back();
      if (!seen.insert(id).second) continue;
      bool is_origin = true;
      for (const NodeId input : graph[id].inputs) {
        if (!bad[input] || graph[input].inputs.empty()) continue;
        is_origin = false;
        left.push_back(input);
      }
      if (is_origin && (!first || id < *first)) first = id;
    }
    return first;
  }

  // The operation of the model of whose gradient the node is a part; "" where it is no part of one. Such nodes stand
  // where what they derive from stands, and the loss does not need them.
  static std::string derived_from(const Graph& graph, NodeId id) {
    const NodeId loss = graph.result(ResultKind::loss, "loss");
    if (loss == kNoNode) return {};
    const std::vector<bool> is_forward = graph.reachable_from(loss);
    if (id < is_forward.size() && is_forward[id]) return {};
    std::string name;
    for (NodeId forward = 0; forward < is_forward.size(); ++forward) {
      const Node& node = graph[forward];
      if (!is_forward[forward] || node.location != graph[id].location || node.inputs.empty()) continue;
      if (name.empty() || !is_movement(info(node.op).op_class)) name = name_of(node.op);
    }
    return name;
  }

  const Session& session_;
  const FailedStep& step_;
  std::uint64_t number_ = 0;         // of the batch, from 1
  std::vector<std::uint64_t> rows_;  // of the batch
  bool names_parameter_ = false;
  Diagnostic failure_;
};

}  // namespace

Diagnostic explain_not_finite(const Session& session, const FailedStep& step) {
  return Explanation(session, step).make();
}

}  // namespace tarn
