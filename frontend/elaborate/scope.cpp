// Look-up and naming. See scope.h.
#include "frontend/elaborate/scope.h"

#include <fmt/format.h>

namespace tarn::elaboration {

bool covers(const std::string& path, const std::string& name) {
  return name == path || (name.size() > path.size() && name.starts_with(path) && name[path.size()] == '.');
}

Binding* Environment::find(std::string_view name) {
  for (Environment* e = this; e != nullptr; e = e->parent_) {
    if (const auto it = e->bindings_.find(name); it != e->bindings_.end()) return &it->second;
  }
  return nullptr;
}

void Environment::collect(std::vector<std::string>& names) const {
  for (const Environment* e = this; e != nullptr; e = e->parent_) {
    for (const auto& [name, binding] : e->bindings_) names.emplace_back(name);
  }
}

bool Declaration::take(const ast::Statement& statement) {
  if (const auto* const declared = std::get_if<ast::Function>(&statement.node)) {
    FunctionValue made;
    made.declaration = function = declared;
    made.module = module;
    value = std::make_shared<const FunctionValue>(std::move(made));
    span = declared->name.span;
    return true;
  }
  constant = std::get_if<ast::Const>(&statement.node);
  if (constant != nullptr) span = constant->name.span;
  return constant != nullptr;
}

namespace {

Declaration* find_in(Module& module, std::string_view name) {
  const auto it = module.declarations.find(name);
  if (it == module.declarations.end()) return nullptr;
  Declaration& declaration = it->second;
  if (declaration.unread != nullptr) {
    declaration.take(parse_prelude(module.file, *declaration.unread, *declaration.sources));
    declaration.unread = nullptr;
  }
  return &declaration;
}

}  // namespace

Declaration* Module::find(std::string_view name) {
  if (Declaration* const own = find_in(*this, name)) return own;
  for (Module* module : visible) {
    if (Declaration* const seen = find_in(*module, name)) return seen;
  }
  return nullptr;
}

std::string Instance::claim(const std::string& wanted) {
  if (used_names.insert(wanted).second) return wanted;
  return claim_numbered(wanted);
}

std::string Instance::claim_numbered(const std::string& wanted) {
  int& number = last_number[wanted];
  std::string name;
  do {
    name = fmt::format("{}_{}", wanted, ++number);
  } while (!used_names.insert(name).second);
  return name;
}

void Instance::assign_name(const std::string& wanted) {
  if (!name.empty() || parent == nullptr) return;
  name = wanted.empty() ? parent->claim_numbered(base) : parent->claim(wanted);
  path = parent->path_of(name);
}

std::string Instance::path_of(const std::string& variable) {
  if (parent == nullptr) return variable;
  assign_name("");
  return path + "." + variable;
}

}  // namespace tarn::elaboration
