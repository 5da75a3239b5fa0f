// See words.h.
#include "passes/plan/words.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "ir/joined.h"

namespace tarn::plan_words {

std::string_view name_of(Space space) {
  const auto* const row = std::find_if(kSpaces.begin(), kSpaces.end(), [&](const auto& r) { return r.space == space; });
  TARN_CHECK(row != kSpaces.end(), "a space without a name");
  return row->name;
}

const std::vector<Infix>& infix_operations() {
  static const std::vector<Infix> operations = [] {
    std::vector<Infix> result;
    for (const OpInfo& row : all_operations()) {
      if (row.arity == 2 && !row.notation.sign.empty()) result.push_back({row.op, row.notation.sign});
    }
    std::stable_sort(result.begin(), result.end(),
                     [](const Infix& a, const Infix& b) { return a.sign.size() > b.sign.size(); });
    return result;
  }();
  return operations;
}

std::optional<std::uint32_t> numbered(std::string_view word, char letter) {
  if (!word.starts_with(letter)) return std::nullopt;
  std::uint32_t number = 0;
  const char* const last = word.data() + word.size();
  const auto [end, problem] = std::from_chars(word.data() + 1, last, number);
  if (problem != std::errc() || end != last) return std::nullopt;
  return number;
}

bool is_reserved(std::string_view word) {
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end() || numbered(word, 't') ||
         numbered(word, 'r');
}

std::vector<std::string> loop_axes(std::size_t count) {
  constexpr std::size_t kLetters = 'z' - 'i' + 1;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(i < kLetters ? std::string(1, static_cast<char>('i' + i)) : fmt::format("i{}", i));
  }
  return names;
}

std::vector<std::string> role_axes(const Role& role) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i + 1 < role.axes; ++i) names.push_back(fmt::format("{}{}", role.letter, i));
  names.emplace_back(role.letter);
  return names;
}

std::vector<std::string> product_axes(std::size_t batch, const Role& first, const Role& second) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < batch; ++i) names.push_back(fmt::format("b{}", i));
  for (const Role& role : {first, second}) {
    const std::vector<std::string> of_role = role_axes(role);
    names.insert(names.end(), of_role.begin(), of_role.end());
  }
  return names;
}

std::vector<std::string> product_axes(const ContractionKernel& kernel) {
  return product_axes(kernel.batch.size(), {"m", kernel.rows.size()}, {"n", kernel.columns.size()});
}

std::vector<std::string> repeat_indices(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format("s{}", i));
  return names;
}

std::optional<DType> dtype_of_operation(Op op, const std::vector<DType>& operands) {
  std::vector<Type> types;
  for (const DType dtype : operands) types.push_back({dtype, false, {}});
  const Result<Type> type = infer_type(op, types, {}, nullptr);
  if (!type) return std::nullopt;
  return type->dtype;
}

std::string quantity(double value, std::string_view unit) {
  for (const std::string_view prefix : {"", "k", "M", "G"}) {
    if (value < 1000 || prefix == "G") return fmt::format("{:.3g} {}{}", value, prefix, unit);
    value /= 1000;
  }
  return {};
}

std::string leaf_key(const Value& value) {
  const auto& [kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction] = value;
  if (kind == Value::Kind::operation) return {};
  const auto& [buffer, at, row, row_stride, row_limit, bounds, fill] = access;
  std::string key = fmt::format("{} {} {:x} {} {} {} {} {} {} {}", static_cast<int>(kind), static_cast<int>(dtype),
                                std::bit_cast<std::uint64_t>(number), buffer, row, row_stride, row_limit, stream,
                                static_cast<int>(distribution), reduction);
  const auto add = [&](const Linear& part) {
    key += fmt::format("; {} {}, {}", part.offset, joined(part.strides, " "), joined(part.repeat_strides, " "));
  };
  for (const Linear* part : {&at, &linear, &sample}) add(*part);
  for (const auto& [index, limit, stride] : bounds) {
    add(index);
    key += fmt::format(" < {} by {}, {:x}", limit, stride, std::bit_cast<std::uint64_t>(fill));
  }
  return key;
}

}  // namespace tarn::plan_words
