// See lone_program.h.
#include "passes/lone_program.h"

namespace tarn {
namespace {

void add_tensor(Program& program, const std::string& name, const Type& type) {
  if (program.find_tensor(name) != nullptr) return;
  TensorInfo tensor;
  tensor.name = name;
  tensor.kind = name.starts_with("metric.") ? TensorKind::metric
                : name == "step"            ? TensorKind::counter
                                            : TensorKind::parameter;
  tensor.type = type;
  program.tensors.push_back(std::move(tensor));
}

Type type_of_sample(Type type) {
  type.per_sample = true;
  if (has_batch(type.shape)) type.shape.erase(type.shape.begin());
  return type;
}

}  // namespace

Program program_of(const Graph& graph, std::int64_t max_batch) {
  Program program;
  program.settings.batch = max_batch;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    if (node.op == Op::tensor) add_tensor(program, node.attributes.text(Key::name), node.type);
    if (node.op != Op::input) continue;
    const std::string& name = node.attributes.text(Key::name);
    if (program.find_input(name) != nullptr) continue;
    InputInfo input;
    input.name = name;
    input.type = type_of_sample(node.type);
    program.inputs.push_back(std::move(input));
  }
  for (const GraphResult& result : graph.results()) {
    const Type& type = graph[result.node].type;
    if (result.kind == ResultKind::output) program.outputs.push_back({result.name, type_of_sample(type), {}, {}});
    // Tensors that are stored and never read.
    if (result.kind == ResultKind::store) add_tensor(program, result.name, type);
  }
  assign_offsets(program);
  return program;
}

}  // namespace tarn
