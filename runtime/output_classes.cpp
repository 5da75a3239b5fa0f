// See output_classes.h.
#include "runtime/output_classes.h"

#include <utility>

namespace tarn {

namespace {

// Whether the output is a sigmoid: a number beside which a half says nothing, such as a score, is none.
bool is_probability(const Program& program, const OutputInfo& output) {
  const auto predict = program.graphs.find("predict");
  if (predict == program.graphs.end()) return false;
  const Graph& graph = predict->second;
  for (const GraphResult& result : graph.results()) {
    if (result.name != output.name) continue;
    NodeId node = result.node;
    while (graph[node].op == Op::reshape || graph[node].op == Op::convert) node = graph[node].inputs.front();
    return graph[node].op == Op::sigmoid;
  }
  return false;
}

}  // namespace

const std::vector<std::string>& class_names_of(const OutputInfo& output, const Vocabularies& vocabularies) {
  return vocabularies.names(output.target);
}

std::optional<OutputClasses> OutputClasses::of(const Program& program, const OutputInfo& output,
                                               const Vocabularies& vocabularies) {
  const std::vector<std::string>& names = class_names_of(output, vocabularies);
  if (names.empty() || output.type.shape.size() > 1) return std::nullopt;
  const auto width = static_cast<std::uint64_t>(element_count(output.type.shape));
  const bool is_one_of_two = width == 1 && names.size() == 2 && is_probability(program, output);
  if (width != names.size() && !is_one_of_two) return std::nullopt;
  return OutputClasses(names, width);
}

const std::string& OutputClasses::name(const Array& values, std::uint64_t row) const {
  const auto value = [&](std::uint64_t place) { return values.at(static_cast<std::int64_t>(row * width_ + place)); };
  if (width_ < names_.size()) return names_[value(0) > 0.5 ? 1 : 0];
  std::uint64_t best = 0;
  for (std::uint64_t place = 1; place < width_; ++place) {
    if (value(place) > value(best)) best = place;
  }
  return names_[best];
}

}  // namespace tarn
