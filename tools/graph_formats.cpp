// dot, SVG and JSON of graphs. See graph_formats.h.
#include "tools/graph_formats.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

extern char** environ;

namespace tarn {

namespace {

std::string value_text(const AttributeValue& value) {
  struct Visitor {
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(const std::vector<std::int64_t>& v) const { return fmt::format("[{}]", fmt::join(v, ", ")); }
    std::string operator()(const std::vector<double>& v) const {
      return v.size() > 4 ? fmt::format("[{} numbers]", v.size()) : fmt::format("[{}]", fmt::join(v, ", "));
    }
  };
  return std::visit(Visitor{}, value);
}

std::string escaped(const std::string& text) {
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
      return "#dbe9f6";
    case OpClass::contraction:
      return "#fddbc7";
    case OpClass::reduction:
      return "#e5d8f0";
    case OpClass::movement:
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
  return escaped(label) + "\\n" + to_string(node.type);
}

}  // namespace

std::string graph_dot(const Graph& graph, const std::string& name, const Sources& sources) {
  const std::vector<bool> reachable = graph.reachable();
  std::string out = fmt::format(
      "digraph \"{}\" {{\n  node [shape=box, style=\"filled,rounded\", fontname=\"sans-serif\", fontsize=10];\n",
      escaped(name));
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    const Node& node = graph[id];
    const Span span = graph.locations()->outermost(node.location);
    const std::string place = span ? fmt::format("{}:{}", sources.name(span.file), span.line) : "";
    out += fmt::format("  n{} [label=\"{}\", fillcolor=\"{}\", tooltip=\"{}\"];\n", id, label_of(node),
                       color_of(info(node.op).op_class), escaped(place));
    for (NodeId input : node.inputs) out += fmt::format("  n{} -> n{};\n", input, id);
  }
  for (std::size_t i = 0; i < graph.results().size(); ++i) {
    const GraphResult& result = graph.results()[i];
    out += fmt::format("  r{} [label=\"{} {}\", shape=ellipse, fillcolor=\"white\"];\n  n{} -> r{};\n", i,
                       name_of(result.kind), escaped(result.name), result.node, i);
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
  char input[] = "/tmp/tarn-graph-XXXXXX";
  const int file = mkstemp(input);
  if (file < 0) return error("cannot make a temporary file for Graphviz");
  const bool written = write(file, dot.data(), dot.size()) == static_cast<ssize_t>(dot.size());
  close(file);
  std::string svg;
  int ends[2];
  if (!written || pipe(ends) != 0) {
    unlink(input);
    return error("cannot hand the graph to Graphviz");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  const char* arguments[] = {"dot", "-Tsvg", input, nullptr};
  pid_t process = 0;
  const bool started = posix_spawnp(&process, "dot", &actions, nullptr, const_cast<char**>(arguments), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  int status = -1;
  if (started) {
    char buffer[65536];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof(buffer))) > 0;)
      svg.append(buffer, static_cast<std::size_t>(n));
    waitpid(process, &status, 0);
  }
  close(ends[0]);
  unlink(input);
  if (!started || status != 0) return error("--format svg needs Graphviz: apt-get install graphviz");
  return svg;
}

}  // namespace tarn
