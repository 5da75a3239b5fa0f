// See validation_split.h.
#include "runtime/data/validation_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/counted.h"
#include "ir/joined.h"
#include "runtime/files/array.h"

namespace tarn {

namespace {

constexpr std::size_t kMostMissingListed = 5;

// Whether the values of a target are classes: labels of the data block, or whole numbers.
bool has_classes(const Program& program, const InputInfo& input) {
  if (input.role != InputRole::target) return false;
  const auto data = program.data.find("");
  if (data != program.data.end()) {
    for (const DataBinding& binding : data->second.bindings) {
      if (binding.name == input.name && binding.encoding != DataBinding::Encoding::none) return true;
    }
  }
  return input.type.dtype == DType::i32 && element_count(input.type.shape) == 1;
}

template <class T>
std::vector<std::int64_t> classes_in(const Bytes& bytes, std::size_t width) {
  const auto* values = reinterpret_cast<const T*>(bytes.data());
  std::vector<std::int64_t> classes(bytes.size() / sizeof(T) / width);
  for (std::size_t row = 0; row < classes.size(); ++row) {
    const T* first = values + row * width;
    classes[row] = width == 1 ? static_cast<std::int64_t>(*first) : std::max_element(first, first + width) - first;
  }
  return classes;
}

std::vector<std::int64_t> classes_of_rows(const Bytes& bytes, const Type& type) {
  const auto width = static_cast<std::size_t>(element_count(type.shape));
  switch (type.dtype) {
    case DType::f32:
      return classes_in<float>(bytes, width);
    case DType::f64:
      return classes_in<double>(bytes, width);
    case DType::i32:
      return classes_in<std::int32_t>(bytes, width);
    case DType::boolean:
      return classes_in<std::uint8_t>(bytes, width);
  }
  return {};
}

// "'setosa' and 'versicolor'" of what the one part has and the other lacks; "" for nothing.
std::string missing(const std::set<std::int64_t>& all, const std::set<std::int64_t>& part,
                    const std::vector<std::string>& names) {
  std::vector<std::string> texts;
  for (const std::int64_t c : all) {
    if (part.contains(c)) continue;
    const bool named = c >= 0 && c < static_cast<std::int64_t>(names.size());
    texts.push_back(named ? fmt::format("'{}'", names[static_cast<std::size_t>(c)]) : fmt::format("{}", c));
  }
  return first_joined(texts, kMostMissingListed);
}

// "the last 5 rows, which validation_split keeps for validation, have"
std::string part_of(const char* end, std::uint64_t rows, const char* does) {
  const std::string which = rows == 1 ? fmt::format("the {} row", end) : fmt::format("the {} {} rows", end, rows);
  return fmt::format("{}, which validation_split {}, {}", which, does, agreeing(rows, "has", "have"));
}

}  // namespace

std::uint64_t rows_for_training(const Program& program, std::uint64_t rows) {
  // What is a whole number but for the rounding of the fraction is that number: 0.9 of 10 rows leave one.
  const double exact = static_cast<double>(rows) * (1 - program.settings.validation_split);
  const double nearest = std::round(exact);
  return static_cast<std::uint64_t>(std::fabs(exact - nearest) <= 1e-12 * static_cast<double>(rows) ? nearest : exact);
}

Result<ValidationSplit> split_for_validation(const Program& program, const Dataset& data,
                                             const Vocabularies& vocabularies) {
  const std::uint64_t cut = rows_for_training(program, data.rows);
  if (cut == 0)
    return error(fmt::format("validation_split {} leaves nothing of {} to train on", program.settings.validation_split,
                             counted(data.rows, "row")));
  ValidationSplit split;
  const Rows rows = data.view();
  split.training = rows.slice(program, 0, cut);
  split.validation = rows.slice(program, cut, data.rows);
  for (std::size_t i = 0; i < program.inputs.size() && cut < data.rows; ++i) {
    const InputInfo& input = program.inputs[i];
    if (!has_classes(program, input)) continue;
    const std::vector<std::int64_t> classes = classes_of_rows(data.arrays[i], input.type);
    const auto middle = classes.begin() + static_cast<std::ptrdiff_t>(cut);
    const std::set<std::int64_t> all(classes.begin(), classes.end());
    const std::set<std::int64_t> first(classes.begin(), middle), last(middle, classes.end());
    const std::vector<std::string>& names = vocabularies.names(input.name);
    const auto warn = [&](const std::set<std::int64_t>& part, const std::string& which) {
      if (part.size() == all.size()) return;
      Diagnostic warning =
          warning_at({}, fmt::format("{} no {} of '{}'", which, missing(all, part, names), input.name));
      warning.notes.push_back({{}, "are the rows sorted? `shuffle_rows` in the data block mixes them first"});
      split.warnings.push_back(std::move(warning));
    };
    warn(last, part_of("last", data.rows - cut, "keeps for validation"));
    warn(first, part_of("first", cut, "leaves for training"));
  }
  return split;
}

}  // namespace tarn
