// See output_classes.h.
#include "runtime/data/output_classes.h"

#include <fmt/format.h>

#include <algorithm>
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

std::int64_t class_count_of(const Program& program, const OutputInfo& output) {
  if (output.type.shape.size() > 1) return 0;
  const std::int64_t width = element_count(output.type.shape);
  if (width > 1) return width;
  return is_probability(program, output) ? 2 : 0;
}

std::uint64_t class_of_row(const Array& values, std::uint64_t row, std::uint64_t width) {
  const auto value = [&](std::uint64_t place) { return values.at(static_cast<std::int64_t>(row * width + place)); };
  if (width == 1) return value(0) > 0.5 ? 1 : 0;
  std::uint64_t best = 0;
  for (std::uint64_t place = 1; place < width; ++place) {
    if (value(place) > value(best)) best = place;
  }
  return best;
}

std::vector<std::string> class_names_of(const Program& program, const OutputInfo& output,
                                        const Vocabularies& vocabularies) {
  std::vector<std::string> names = vocabularies.names(output.target);
  if (names.empty() || output.type.shape.size() > 1) return {};
  const auto classes = static_cast<std::size_t>(std::max<std::int64_t>(1, class_count_of(program, output)));
  while (names.size() < classes) names.push_back(fmt::format("class {}", names.size()));
  return names.size() == classes ? names : std::vector<std::string>();
}

std::optional<OutputClasses> OutputClasses::of(const Program& program, const OutputInfo& output,
                                               const Vocabularies& vocabularies) {
  std::vector<std::string> names = class_names_of(program, output, vocabularies);
  if (names.empty()) return std::nullopt;
  return OutputClasses(std::move(names), static_cast<std::uint64_t>(element_count(output.type.shape)));
}

const std::string& OutputClasses::name(const Array& values, std::uint64_t row) const {
  return names_[names_.size() == 1 ? 0 : class_of_row(values, row, width_)];
}

}  // namespace tarn
