// Where elements of nodes lie: their places, the buffers of these, and addresses in them.
#include <fmt/format.h>

#include "passes/planner/planner.h"

namespace tarn {
namespace {

template <class T>
void append_as(std::vector<std::byte>& bytes, double value) {
  const T narrow = static_cast<T>(value);
  const auto* begin = reinterpret_cast<const std::byte*>(&narrow);
  bytes.insert(bytes.end(), begin, begin + sizeof(T));
}

// The offset of the values in the constants.
std::uint64_t add_constant(std::vector<std::byte>& bytes, const std::vector<double>& values, DType dtype) {
  bytes.resize(aligned(bytes.size()));
  const std::uint64_t offset = bytes.size();
  for (const double value : values) {
    switch (dtype) {
      case DType::f32:
        append_as<float>(bytes, value);
        break;
      case DType::f64:
        append_as<double>(bytes, value);
        break;
      case DType::i32:
        append_as<std::int32_t>(bytes, value);
        break;
      case DType::boolean:
        append_as<std::uint8_t>(bytes, value);
        break;
    }
  }
  return offset;
}

std::uint32_t input_index(const Program& program, const std::string& name) {
  for (std::uint32_t i = 0; i < program.inputs.size(); ++i) {
    if (program.inputs[i].name == name) return i;
  }
  TARN_CHECK(false, "no input is called '" + name + "'");
  return 0;
}

}  // namespace

std::string name_of_node(const Graph& graph, NodeId node) {
  return fmt::format("{}.{}", name_of(graph[node].op), node);
}

BufferId Planning::tensor_buffer(const std::string& name) {
  const auto [known, is_new] = tensor_buffers.try_emplace(name, static_cast<BufferId>(plan.buffers.size()));
  if (!is_new) return known->second;
  if (tensors.empty()) {
    for (const TensorInfo& tensor : program.tensors) tensors.emplace(tensor.name, &tensor);
  }
  const TensorInfo* tensor = tensors.contains(name) ? tensors.at(name) : nullptr;
  TARN_CHECK(tensor != nullptr, "no tensor is called '" + name + "'");
  const Space space = tensor->kind == TensorKind::metric ? Space::accumulators : Space::state;
  plan.buffers.push_back(
      {name, space, 0, tensor->offset, tensor->type.dtype, tensor->type.shape, row_major_strides(tensor->type.shape)});
  return known->second;
}

BufferId Planning::add_arena_buffer(NodeId node, std::string name) {
  const Type& type = graph[node].type;
  plan.buffers.push_back({std::move(name), Space::arena, 0, 0, type.dtype, type.shape, row_major_strides(type.shape)});
  return static_cast<BufferId>(plan.buffers.size() - 1);
}

PlaceId Planning::place(NodeId id) {
  if (place_of[id] != kNone) return place_of[id];
  const Node& node = graph[id];
  BufferId buffer = static_cast<BufferId>(plan.buffers.size());
  const std::vector<std::int64_t> strides = row_major_strides(node.type.shape);
  if (leaves.materialized[id]) {
    buffer = add_arena_buffer(id, name_of_node(graph, id));
  } else if (node.op == Op::input) {
    const std::string& name = node.attributes.text(Key::name);
    plan.buffers.push_back(
        {name, Space::input, input_index(program, name), 0, node.type.dtype, node.type.shape, strides});
  } else if (node.op == Op::tensor) {
    buffer = tensor_buffer(node.attributes.text(Key::name));
  } else {
    const std::uint64_t offset = add_constant(plan.constants, node.attributes.numbers(Key::values), node.type.dtype);
    plan.buffers.push_back(
        {name_of_node(graph, id), Space::constants, 0, offset, node.type.dtype, node.type.shape, strides});
  }
  place_of[id] = static_cast<PlaceId>(places.size());
  places.push_back({id, buffer, strides, 0, false});
  return place_of[id];
}

void set_address(Access& access, const Place& place, const Point& leaf, std::size_t axes) {
  const bool by_row = access.row != kNoValue;
  access.buffer = place.buffer;
  access.at = leaf.flat ? leaf.at[0] : dot(place.strides, leaf.at, place.offset, axes + leaf.edges.size() + by_row);
  if (leaf.flat) access.at.offset += place.offset;
  if (by_row) {
    access.row_stride = access.at.strides.back();
    access.at.strides.pop_back();
    return;
  }
  const std::vector<Linear> within = indices_within(leaf.edges, axes);
  for (std::size_t i = 0; i < within.size(); ++i) {
    access.bounds.push_back({within[i], leaf.edges[i].limit, access.at.strides[axes + i]});
  }
  access.at = over_axes(access.at, within, axes);
  access.fill = leaf.fill.value_or(0);
}

}  // namespace tarn
