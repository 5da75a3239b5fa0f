// See tensor_table.h.
#include "frontend/elaborate/tensor_table.h"

#include <fmt/format.h>

#include <utility>

namespace tarn::elaboration {

TensorInfo* TensorTable::declare(TensorInfo info, Span span) {
  TensorInfo* known = find(info.name);
  if (known == nullptr) {
    by_name_.emplace(info.name, all.size());
    all.push_back(std::move(info));
    return &all.back();
  }
  if (known->type == info.type && known->kind == info.kind) return known;
  const std::string before = to_string(known->type), now = to_string(info.type);
  if (known->kind != info.kind) {
    reports_.fail(span, fmt::format("there is a {} called '{}' already", name_of(known->kind), info.name));
  } else {
    reports_.fail(
        span,
        fmt::format("'{}' was {} before, and would be {} here: a layer that is applied again must get the same shapes",
                    info.name, before, now),
        "declaration", "copy(f) gives the same layer with parameters of its own");
  }
  return nullptr;
}

TensorInfo* TensorTable::find(std::string_view name) {
  const auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : &all[it->second];
}

Value TensorTable::read(const std::string& name) {
  const auto it = graphs_.current().current.find(name);
  return graphs_.tensor(it != graphs_.current().current.end() ? it->second : node(name));
}

NodeId TensorTable::node(const std::string& name) {
  const TensorInfo* info = find(name);
  TARN_CHECK(info != nullptr, name);
  graphs_.builder().set_location(reports_.location_of(info->declared));
  return graphs_.builder().source(Op::tensor, info->type, {{Key::name, name}});
}

void TensorTable::set_next(const std::string& name, NodeId node) {
  if (graphs_.current().current.insert_or_assign(name, node).second) graphs_.current().updated.push_back(name);
}

NodeId TensorTable::counter(std::string_view name, Span span) {
  const std::string tensor_name(name);
  declare({tensor_name, TensorKind::counter, Type{DType::f64, false, {}}, false, 0, 0, {}}, span);
  return node(tensor_name);
}

Value TensorTable::hyper_parameter(const std::string& wanted, double value, Span span) {
  std::string name = wanted;
  for (int i = 1;; ++i) {
    const TensorInfo* known = find(name);
    if (known == nullptr || known->initial == value) break;
    name = fmt::format("{}_{}", wanted, i);
  }
  declare({name, TensorKind::hyper, Type{DType::f64, false, {}}, false, value, 0, {}}, span);
  return TensorValue{node(name), graphs_.current().number, true, value};
}

}  // namespace tarn::elaboration
