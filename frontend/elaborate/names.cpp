// See names.h.
#include "frontend/elaborate/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "frontend/elaborate/builtin.h"
#include "frontend/elaborate/reports.h"

namespace tarn::elaboration {

NamesAtWork::Inside::Inside(NamesAtWork& names, Environment* parent, Module* module)
    : names_(names), before_(names.environment), own_(std::make_unique<Environment>(parent, module)) {
  names.environment = own_.get();
}

NamesAtWork::Inside::~Inside() {
  names_.environment = before_;
  if (own_->captured) names_.captured_.push_back(std::move(own_));
}

std::vector<std::string> NamesAtWork::visible() const {
  std::vector<std::string> names = {"pi", "training", "frozen", "step", "epoch"};
  environment->collect(names);
  const auto add = [&names](const Module& module) {
    for (const auto& [name, declaration] : module.declarations) names.emplace_back(name);
  };
  add(*environment->module());
  for (const Module* module : environment->module()->visible) add(*module);
  for (const Builtin& builtin : all_builtins()) names.emplace_back(builtin.name);
  return names;
}

std::string NamesAtWork::without_quotes(const Value& value) const {
  const auto* text = value.get<std::string>();
  if (text == nullptr || environment == nullptr) return "";
  const std::vector<std::string> names = visible();
  return std::find(names.begin(), names.end(), *text) == names.end()
             ? did_you_mean(*text, names)
             : fmt::format("; functions and layers go by name, without quotes: {}", *text);
}

Instance* NamesAtWork::new_instance(const void* place, std::string base, bool is_layer) {
  Instance& parent = *activation->instance;
  std::unique_ptr<Instance>& child = parent.children[activation->meet(place)];
  if (!child) {
    child = std::make_unique<Instance>();
    child->parent = &parent;
    child->base = std::move(base);
    child->is_layer = is_layer;
    child->depth = parent.depth + (is_layer ? 1 : 0);
  }
  return child.get();
}

bool NamesAtWork::is_frozen() {
  if (activation == nullptr || activation->instance->parent == nullptr) return false;
  Instance& layer = *activation->instance;
  if (layer.name.empty()) layer.assign_name("");
  if (std::any_of(frozen_paths.begin(), frozen_paths.end(),
                  [&](const std::string& p) { return covers(p, layer.path); }))
    return true;
  layers_not_frozen.insert(layer.path);
  return false;
}

}  // namespace tarn::elaboration
