// Builtins for indices, products by letters, random draws and layers.
#include <fmt/format.h>

#include "frontend/builtins/builtins.h"
#include "ir/random.h"

namespace tarn::elaboration {

namespace {

Value run_iota(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const auto count = e.readings.to_integer(call.value(0), call.span_of(0), "the number of indices");
  if (!count) return ErrorValue{};
  if (*count < 1) return e.reports.fail(call.span_of(0), fmt::format("iota needs at least one index, not {}", *count));
  const Shape shape{*count};
  if (!e.readings.check_shape(shape, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  return e.graphs.tensor(
      e.graphs.builder().source(Op::iota, Type{DType::i32, false, shape}, {{Key::axis, std::int64_t{0}}}));
}

// one_hot(i, n)[…, k] = (i[…] == k)
Value run_one_hot(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> index = e.nodes.to_node(call.value(0), DType::i32, call.span);
  const auto count = e.readings.to_integer(call.value(1), call.span_of(1), "the number of classes");
  if (!index || !count) return ErrorValue{};
  if (*count < 1)
    return e.reports.fail(call.span_of(1), fmt::format("one_hot needs at least one class, not {}", *count));
  Shape narrow = e.graphs.builder().shape(*index);
  Shape wide = narrow;
  narrow.push_back(1);
  wide.push_back(*count);
  if (!e.readings.check_shape(wide, call.span) || !e.reports.spend(1, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  Builder& b = e.graphs.builder();
  const NodeId classes = b.source(Op::iota, Type{DType::i32, false, {*count}}, {{Key::axis, std::int64_t{0}}});
  const NodeId repeated = b.broadcast_to(b.reshape(*index, narrow), wide);
  return e.graphs.tensor(
      b.convert(b.make(Op::equal, {repeated, b.broadcast_to(classes, wide)}), e.graphs.current().float_type));
}

template <Op op>
Value run_random(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  GraphContext& graph = e.graphs.current();
  const std::optional<Shape> shape = e.readings.to_shape(call.value(0), call.span_of(0));
  auto per_step =
      call.has(1) ? e.readings.to_truth(call.value(1), call.span_of(1), "per_step") : std::optional<bool>(false);
  const auto seed =
      call.has(2) ? e.readings.to_integer(call.value(2), call.span_of(2), "the seed") : std::optional(std::int64_t{0});
  if (!shape || !per_step || !seed || !e.reports.spend(1, call.span)) return ErrorValue{};
  if (graph.per_step_draws) per_step = true;
  Instance& owner = *e.names.activation->instance;
  if (graph.draw_path.empty() && owner.parent != nullptr) owner.assign_name("");
  const std::string path = graph.draw_path.empty() ? owner.path : graph.draw_path;
  // A seed stands for the path, so that draws of one seed are the same wherever they stand.
  const std::string seeded = call.has(2) ? fmt::format("seed {}", *seed) : std::string();
  const std::uint64_t occurrence = graph.draws[seeded.empty() ? path : path + ", " + seeded]++;
  const auto stream = static_cast<std::int64_t>(stream_of(seeded.empty() ? path : seeded, occurrence));
  e.nodes.locate(call.span);
  return e.graphs.tensor(e.graphs.builder().source(
      op, Type{graph.float_type, !*per_step, *shape},
      {{Key::stream, stream}, {Key::per_step, static_cast<std::int64_t>(*per_step ? 1 : 0)}}));
}

// A node that the compiler expands; where y is a value of each sample, so is the gradient.
Value run_grad(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> y = e.nodes.to_floating(call.value(0), call.span_of(0));
  const std::optional<NodeId> x = e.nodes.to_node(call.value(1), std::nullopt, call.span_of(1));
  if (!y || !x) return ErrorValue{};
  const auto node = e.nodes.make(Op::grad, {*y, *x}, {}, nullptr, call.span, "grad");
  return node ? e.graphs.tensor(*node) : Value(ErrorValue{});
}

Value run_copy(BuiltinCall& call) {
  if (call.value(0).is_error()) return ErrorValue{};
  return call.elaborator.calls.copy_of(call.value(0), call.span, call.place);
}

Value run_loss_of(BuiltinCall& call) {
  const auto* tensor = call.value(0).get<TensorValue>();
  if (tensor == nullptr) return NoneValue{};
  const auto it = call.elaborator.notes.loss_functions.find(tensor->node);
  return it == call.elaborator.notes.loss_functions.end() ? Value(NoneValue{}) : Value(it->second);
}

Value run_in_metric(BuiltinCall& call) { return call.elaborator.calls.metric.measures; }

Value run_is_known(BuiltinCall& call) {
  const auto* tensor = call.value(0).get<TensorValue>();
  return tensor == nullptr || tensor->known.has_value();
}

Value run_counted(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> value = e.nodes.to_floating(call.value(0), call.span_of(0));
  const std::optional<NodeId> each = e.nodes.to_floating(call.value(1), call.span_of(1));
  const std::optional<NodeId> counts = e.nodes.to_floating(call.value(2), call.span_of(2));
  if (!value || !each || !counts) return ErrorValue{};
  e.notes.counted[{e.graphs.current().number, *value}] = {*each, *counts};
  return e.graphs.tensor(*value);
}

// A value of the whole batch has no parts that samples could be weighed by.
Value run_parts(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const Value& value = call.value(0);
  const auto* tensor = value.get<TensorValue>();
  if (tensor == nullptr || value.is_error()) return make_list({value, integer(1)}, true);
  if (const auto found = e.notes.counted.find({tensor->graph, tensor->node}); found != e.notes.counted.end())
    return make_list({e.graphs.tensor(found->second.each), e.graphs.tensor(found->second.counts)}, true);
  const Graph& graph = e.graphs.current().graph;
  if (!graph[tensor->node].type.per_sample) {
    const std::vector<bool> needed = graph.reachable_from(tensor->node);
    for (NodeId id = 0; id <= tensor->node; ++id) {
      if (needed[id] && graph[id].op == Op::batch_sum)
        return e.reports.fail(call.span,
                              "this is one value of the whole batch, and has no samples that could be weighed");
    }
  }
  return make_list({value, integer(1)}, true);
}

constexpr Builtin kOtherBuiltins[] = {
    {"einsum", "einsum(letters, a, b = none)", run_einsum, "sum of products by letters: \"mk,kn->mn\""},
    {"one_hot", "one_hot(i, n)", run_one_hot, "1 at index i of n, else 0; out of range, all 0"},
    {"gather", "gather(table, i, axis = 0)", run_gather, "the rows of a table by index, clamped into range"},
    {"takes", "takes(x, what, n = none, ignored = none)", run_takes,
     "x, which is to be a \"class\" or \"index\" of n (then it becomes i32), a \"probability\" or a \"sign\"; data "
     "with other values are an error"},
    {"iota", "iota(n)", run_iota, "0, 1, …, n - 1 as i32"},
    {"random_uniform", "random_uniform(shape, per_step = false, seed = none)", run_random<Op::random_uniform>,
     "uniform on [0, 1), drawn anew for every sample or once a step"},
    {"random_normal", "random_normal(shape, per_step = false, seed = none)", run_random<Op::random_normal>,
     "normal with mean 0 and variance 1, drawn anew for every sample or once a step"},
    {"copy", "copy(f)", run_copy, "the same layer with parameters of its own"},
    {"loss_of", "loss_of(y)", run_loss_of, "the name of the loss whose first argument is y, else none; in metrics"},
    {"in_metric", "in_metric()", run_in_metric,
     "whether a metric line is evaluated, where losses are those of a sample"},
    {"counted", "counted(value, each, counts)", run_counted,
     "value, of which `parts` tells what it is the mean of, and which of that counts"},
    {"parts", "parts(value)", run_parts,
     "two values: what `counted` made it of, and which of that counts; else itself and 1"},
    {"is_known", "is_known(x)", run_is_known,
     "whether x has a value at compile time, as a hyper-parameter given as a number"},
    {"grad", "grad(y, x)", run_grad, "gradient of the scalar y by x, which can be differentiated again"},
};

}  // namespace

std::span<const Builtin> other_builtins() { return kOtherBuiltins; }

}  // namespace tarn::elaboration
