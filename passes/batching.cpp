// Batching: from values of one sample to values of all samples of the batch. See add_batch_axis in graph_passes.h.
#include <fmt/format.h>

#include "ir/type_rules.h"
#include "passes/graph_passes.h"
#include "passes/rebuild.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

class Batcher {
 public:
  explicit Batcher(const Graph& from) : from_(from), to_(from.locations()), builder_(to_), map_(from.size(), kNoNode) {}

  Result<Graph> run() {
    const std::vector<bool> needed = from_.reachable();
    for (NodeId id = 0; id < from_.size(); ++id) {
      if (!needed[id]) continue;
      builder_.set_location(from_[id].location);
      Result<NodeId> made = convert(id);
      if (!made) return at_node(id, made.error().front().message);
      map_[id] = *made;
    }
    TARN_RETURN_IF_ERROR(add_results());
    return std::move(to_);
  }

 private:
  Diagnostic at_node(NodeId id, const std::string& message) const {
    const LocationId location = from_[id].location;
    return error_at((*from_.locations())[location].span, message + " (with the axis of the samples, N)",
                    from_.locations()->backtrace(location));
  }

  bool is_batched(NodeId to) const { return has_batch(to_[to].type.shape); }

  // The value with the batch axis, which it gets by repeating where it is the same for all samples.
  Result<NodeId> batched(NodeId to) {
    if (is_batched(to)) return to;
    Type type = to_[to].type;
    Integers axes;
    for (std::size_t i = 0; i < type.shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i) + 1);
    type.shape.insert(type.shape.begin(), kBatch);
    return builder_.try_make(Op::broadcast, {to}, {{Key::axes, axes}}, &type);
  }

  static Type batched_type(const Type& type) {
    Type result{type.dtype, false, type.shape};
    if (type.per_sample) result.shape.insert(result.shape.begin(), kBatch);
    return result;
  }

  Result<NodeId> convert(NodeId id) {
    const Node& node = from_[id];
    std::vector<NodeId> inputs;
    bool any_batched = false;
    for (const NodeId input : node.inputs) {
      inputs.push_back(map_[input]);
      any_batched = any_batched || is_batched(map_[input]);
    }
    if (node.op == Op::batch_sum) return sum_of_samples(inputs.front());
    const Type type = batched_type(node.type);
    // What depends on no sample, sources, and graphs that have the batch axis already.
    if (!any_batched || !node.type.per_sample) return builder_.try_make(node.op, inputs, node.attributes, &type);
    switch (info(node.op).op_class) {
      case OpClass::elementwise:
        return with_all_batched(node, inputs, node.attributes);
      case OpClass::contraction:
        return contraction(node, inputs);
      case OpClass::reduction:
      case OpClass::view:
      case OpClass::assembly:
      case OpClass::indexed:
        return shifted(node, inputs);
      case OpClass::source:
      case OpClass::draw:
      case OpClass::control:
        break;
    }
    return builder_.try_make(node.op, inputs, node.attributes, &type);
  }

  // Of what is the same for all samples, the sum is N times the value.
  Result<NodeId> sum_of_samples(NodeId value) {
    if (is_batched(value)) return builder_.try_make(Op::reduce_sum, {value}, {{Key::axes, Integers{0}}});
    const NodeId samples = builder_.source(Op::batch_size, {to_[value].type.dtype, false, {}}, {});
    return builder_.mul(value, samples);
  }

  Result<NodeId> with_all_batched(const Node& node, std::vector<NodeId> inputs, const Attributes& attributes) {
    for (NodeId& input : inputs) {
      TARN_TRY(input, batched(input));
    }
    const Type type = batched_type(node.type);
    return builder_.try_make(node.op, inputs, attributes, &type);
  }

  // The samples get a letter of their own: "k,kn->n" becomes "ak,kn->an".
  Result<NodeId> contraction(const Node& node, const std::vector<NodeId>& inputs) {
    const ContractionMap map = parse_contraction_map(node.attributes.text(Key::map)).value();
    static constexpr std::string_view kLetters = "NabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMOPQRSTUVWXYZ";
    const std::size_t fresh = kLetters.find_first_not_of(std::string(map.a) + std::string(map.b));
    if (fresh == std::string_view::npos) return error("a product names too many axes");
    const std::string letter(1, kLetters[fresh]);
    std::string text = (is_batched(inputs[0]) ? letter : "") + std::string(map.a) + ",";
    text += (is_batched(inputs[1]) ? letter : "") + std::string(map.b) + "->" + letter + std::string(map.result);
    return builder_.try_make(node.op, inputs, {{Key::map, text}});
  }

  // All axes move up by one, and nothing happens to the first.
  Result<NodeId> shifted(const Node& node, const std::vector<NodeId>& inputs) {
    // The indices of a gather depend on the sample, the table does not: its axes stay.
    if (info(node.op).op_class == OpClass::indexed) return builder_.try_make(node.op, inputs, node.attributes);
    const bool names_all_axes = info(node.op).has(kNamesAllAxes);
    Attributes attributes;
    for (const auto& [key, value] : node.attributes.entries()) {
      attributes.set(key, shifted_attribute(key, value, names_all_axes));
    }
    return with_all_batched(node, inputs, attributes);
  }

  static AttributeValue shifted_attribute(Key key, const AttributeValue& value, bool names_all_axes) {
    switch (axis_use(key)) {
      case AxisUse::none:
        return value;
      case AxisUse::number:
        return std::get<std::int64_t>(value) + 1;
      case AxisUse::numbers: {
        Integers result = std::get<Integers>(value);
        for (std::int64_t& axis : result) ++axis;
        if (names_all_axes) result.insert(result.begin(), 0);
        return result;
      }
      case AxisUse::for_each: {
        Integers result = std::get<Integers>(value);
        result.insert(result.begin(), entry_for_samples(key));
        return result;
      }
    }
    return value;
  }

  Status add_results() {
    for (const GraphResult& result : from_.results()) {
      NodeId node = map_[result.node];
      if (result.kind == ResultKind::output) {
        Result<NodeId> wide = batched(node);
        if (!wide) return at_node(result.node, wide.error().front().message);
        node = *wide;
      } else if (is_batched(node)) {
        return at_node(result.node,
                       fmt::format("'{}' must not depend on one sample: batch_sum or batch_mean first", result.name));
      }
      to_.add_result(result.kind, result.name, node);
    }
    return Done{};
  }

  const Graph& from_;
  Graph to_;
  Builder builder_;
  NodeMap map_;
};

}  // namespace

Result<Graph> add_batch_axis(const Graph& graph, PassContext&) { return Batcher(graph).run(); }

}  // namespace tarn
