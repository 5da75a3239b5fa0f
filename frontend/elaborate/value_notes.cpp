// See value_notes.h.
#include "frontend/elaborate/value_notes.h"

#include <fmt/format.h>

#include <algorithm>

namespace tarn::elaboration {

void ValueNotes::note_comparison(const FunctionValue& function) {
  if (compared == nullptr || function.bound.empty() || function.bound.back().size() < 2) return;
  const auto* first = function.bound.back()[0].get<TensorValue>();
  const auto* second = function.bound.back()[1].get<TensorValue>();
  if (first != nullptr && second != nullptr) compared->emplace_back(first->node, second->node);
}

Better ValueNotes::direction_of(const Value& value) const {
  const auto* tensor = value.get<TensorValue>();
  const auto found = tensor == nullptr ? directions_.end() : directions_.find({tensor->graph, tensor->node});
  return found == directions_.end() ? Better::unknown : found->second;
}

void ValueNotes::note_direction(const FunctionValue& function, const Value& result) {
  const auto* tensor = result.get<TensorValue>();
  if (function.declaration == nullptr || !function.declaration->direction || tensor == nullptr) return;
  const ast::Direction& direction = *function.declaration->direction;
  Better better = direction.larger ? Better::larger : Better::smaller;
  if (direction.as) {
    const std::vector<ast::Parameter>& parameters = function.parameters(function.bound.size() - 1);
    const auto argument = std::find_if(parameters.begin(), parameters.end(),
                                       [&](const ast::Parameter& p) { return p.name.name == direction.as->name; });
    if (argument == parameters.end()) {
      reports_.fail(direction.as->span, fmt::format("'{}' has no argument '{}' whose direction it could have",
                                                    function.declaration->name.name, direction.as->name));
      return;
    }
    better = direction_of(function.bound.back()[static_cast<std::size_t>(argument - parameters.begin())]);
  }
  if (better != Better::unknown) directions_[{tensor->graph, tensor->node}] = better;
}

}  // namespace tarn::elaboration
