// The text form of graphs and programs. parse(print(graph)) gives the same graph.
//
//   graph train {
//     %x: f32[N,4] = input() {name = "x"} @ "iris.tarn":3:9
//     %7: f32[N,6] = contract(%x, %dense_1.kernel) {map = "mk,kn->mn"} @ "iris.tarn":4:18+5 in "layer 'dense'" @
//     "iris.tarn":9:3+2 result store "dense_1.kernel" = %7
//   }
//
// A node is named by its id, sources with a name by that name (`input.` in front where a tensor has the same). Numbers
// are printed so that they read back to the same double. A location is printed innermost first, each caller behind its
// callee.
#pragma once

#include <string>

#include "ir/graph.h"

namespace tarn {

// What the names of nodes, operations and attributes consist of.
inline bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

struct PrintOptions {
  bool locations = true;
};

std::string print(const Graph& graph, const std::string& name, const Sources& sources, PrintOptions options = {});

struct NamedGraph {
  std::string name;
  Graph graph;
};
// Parses one graph, which passes verify(). `#` starts a comment. `sources` gains the text, and an empty file for each
// name in a location that it does not know.
Result<NamedGraph> parse_graph(std::string_view text, const std::string& text_name, Sources& sources);

}  // namespace tarn
