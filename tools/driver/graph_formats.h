// Graphs in the formats of `tarn show` beside text: Graphviz's dot, SVG through it, and JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ir/graph.h"

namespace tarn {

std::string graph_dot(const Graph& graph, const std::string& name, const Sources& sources);
nlohmann::ordered_json graph_json(const Graph& graph, const std::string& name, const Sources& sources);
// Runs Graphviz's `dot`; an error where it is not installed.
Result<std::string> svg_of(const std::string& dot);

}  // namespace tarn
