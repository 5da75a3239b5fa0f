// dot, SVG and JSON of graphs. See graph_formats.h.
#include "tools/driver/graph_formats.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ir/joined.h"
#include "runtime/files/file.h"
#include "tools/driver/process.h"

namespace tarn {

namespace {

std::string value_text(const AttributeValue& value) {
  struct Visitor {
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(const std::vector<std::int64_t>& v) const { return fmt::format("[{}]", joined(v, ", ")); }
    std::string operator()(const std::vector<double>& v) const {
      if (v.size() > 4) return fmt::format("[{} numbers]", v.size());
      std::vector<std::string> numbers;
      for (const double number : v) numbers.push_back(fmt::format("{}", number));
      return fmt::format("[{}]", joined(numbers, ", "));
    }
  };
  return std::visit(Visitor{}, value);
}

std::string dot_text(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

const char* color_of(OpClass op_class) {
  switch (op_class) {
    case OpClass::source:
    case OpClass::draw:
      return "#dbe9f6";
    case OpClass::contraction:
      return "#fddbc7";
    case OpClass::reduction:
      return "#e5d8f0";
    case OpClass::view:
    case OpClass::assembly:
    case OpClass::indexed:
      return "#f0f0f0";
    case OpClass::elementwise:
      return "#e3f2dc";
    case OpClass::control:
      return "#ffffcc";
  }
  return "white";
}

std::string label_of(const Node& node) {
  std::string label(name_of(node.op));
  for (const auto& [key, value] : node.attributes.entries()) {
    label += key == Key::name || key == Key::value ? " " + value_text(value)
                                                   : fmt::format("\\n{} {}", name_of(key), value_text(value));
  }
  return dot_text(label) + "\\n" + to_string(node.type);
}

}  // namespace

std::string graph_dot(const Graph& graph, const std::string& name, const Sources& sources) {
  const std::vector<bool> reachable = graph.reachable();
  std::string out = fmt::format(
      "digraph \"{}\" {{\n  node [shape=box, style=\"filled,rounded\", fontname=\"sans-serif\", fontsize=10];\n",
      dot_text(name));
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    const Node& node = graph[id];
    const Span span = graph.locations()->outermost(node.location);
    const std::string place = span ? fmt::format("{}:{}", sources.name(span.file), span.line) : "";
    out += fmt::format("  n{} [label=\"{}\", fillcolor=\"{}\", tooltip=\"{}\"];\n", id, label_of(node),
                       color_of(info(node.op).op_class), dot_text(place));
    for (NodeId input : node.inputs) out += fmt::format("  n{} -> n{};\n", input, id);
  }
  for (std::size_t i = 0; i < graph.results().size(); ++i) {
    const GraphResult& result = graph.results()[i];
    out += fmt::format("  r{} [label=\"{} {}\", shape=ellipse, fillcolor=\"white\"];\n  n{} -> r{};\n", i,
                       name_of(result.kind), dot_text(result.name), result.node, i);
  }
  return out + "}\n";
}

nlohmann::ordered_json graph_json(const Graph& graph, const std::string& name, const Sources& sources) {
  using Json = nlohmann::ordered_json;
  const std::vector<bool> reachable = graph.reachable();
  Json nodes = Json::array(), results = Json::array();
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    const Node& node = graph[id];
    Json entry{{"id", id}, {"op", name_of(node.op)}, {"type", to_string(node.type)}, {"inputs", node.inputs}};
    for (const auto& [key, value] : node.attributes.entries()) {
      std::visit([&, k = std::string(name_of(key))](const auto& v) { entry["attributes"][k] = v; }, value);
    }
    if (const Span span = graph.locations()->outermost(node.location)) {
      entry["file"] = sources.name(span.file);
      entry["line"] = span.line;
      entry["column"] = span.column;
    }
    nodes.push_back(std::move(entry));
  }
  for (const GraphResult& result : graph.results()) {
    results.push_back({{"kind", name_of(result.kind)}, {"name", result.name}, {"node", result.node}});
  }
  return {{"graph", name}, {"nodes", nodes}, {"results", results}};
}

Result<std::string> svg_of(const std::string& dot) {
  TARN_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  const std::string graph = folder.file("graph.dot"), drawing = folder.file("graph.svg");
  TARN_RETURN_IF_ERROR(write_file(graph, dot));
  if (run_program({"dot", "-Tsvg", "-o", drawing, graph}) != 0)
    return error("--format svg needs Graphviz: apt-get install graphviz");
  TARN_TRY(const Bytes svg, read_file(drawing));
  return std::string(reinterpret_cast<const char*>(svg.data()), svg.size());
}

}  // namespace tarn
