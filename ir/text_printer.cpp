// The printing half of the text form. See text.h.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "ir/text.h"
#include "ir/text_parts.h"

namespace tarn {

namespace {

struct PrintValue {
  std::string& out;
  template <class T>
  void operator()(const T& scalar) const {
    out += fmt::format("{}", scalar);
  }
  void operator()(const std::string& text) const { out += quoted(text); }
  template <class T>
  void operator()(const std::vector<T>& list) const {
    out += '[';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ", ";
      (*this)(list[i]);
    }
    out += ']';
  }
};

void print_attributes(std::string& out, const Attributes& attributes) {
  std::string_view separator = " {";
  for (const auto& [key, value] : attributes.entries()) {
    out += separator;
    out += name_of(key);
    out += " = ";
    std::visit(PrintValue{out}, value);
    separator = ", ";
  }
  if (!attributes.entries().empty()) out += '}';
}

// What stands behind % for each node.
std::vector<std::string> labels_of(const Graph& graph) {
  std::unordered_set<std::string> tensors;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].op == Op::tensor) tensors.insert(graph[id].attributes.text(Key::name));
  }
  std::unordered_set<std::string> taken;
  std::vector<std::string> labels;
  labels.reserve(graph.size());
  for (NodeId id = 0; id < graph.size(); ++id) {
    std::string label;
    if (graph[id].op == Op::tensor || graph[id].op == Op::input) {
      label = graph[id].attributes.text(Key::name);
      if (graph[id].op == Op::input && tensors.count(label) != 0) label.insert(0, "input.");
    }
    // A name that is no word, or that another node has, gives way to the id.
    if (!is_name(label) || !taken.insert(label).second) label = fmt::format("{}", id);
    labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace

std::string print(const Graph& graph, const std::string& name, const Sources& sources, PrintOptions options) {
  const std::vector<std::string> labels = labels_of(graph);
  std::string out = fmt::format("graph {} {{\n", name_text(name));
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    out += fmt::format("  %{}: {} = {}(", labels[id], to_string(node.type), name_of(node.op));
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      out += fmt::format("{}%{}", i > 0 ? ", " : "", labels[node.inputs[i]]);
    }
    out += ')';
    print_attributes(out, node.attributes);
    if (options.locations) print_location(out, *graph.locations(), node.location, sources);
    out += '\n';
  }
  for (const GraphResult& result : graph.results()) {
    out += fmt::format("  result {} {} = %{}\n", name_of(result.kind), quoted(result.name), labels[result.node]);
  }
  return out + "}\n";
}

}  // namespace tarn
