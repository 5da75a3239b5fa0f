// See labels.h.
#include "runtime/data/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "ir/counted.h"
#include "ir/joined.h"
#include "runtime/files/file.h"
#include "runtime/files/number_text.h"
#include "runtime/files/value_check.h"

namespace tarn {

namespace {

constexpr std::size_t kMostLabelsListed = 20;

bool has_blanks_around(std::string_view text) { return without_blanks(text).size() != text.size(); }

std::optional<std::int64_t> whole_number(std::string_view text) {
  const std::optional<double> value = parse_number(text);
  if (!value || *value != std::floor(*value) || std::fabs(*value) > static_cast<double>(kMostClasses))
    return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

// The names of a vocabulary and how they are looked up.
class Names {
 public:
  explicit Names(std::vector<std::string> names) : names_(std::move(names)) {
    for (std::size_t i = 0; i < names_.size(); ++i) index(static_cast<std::int64_t>(i));
  }

  // A quoted label is what it is; of another one the blanks around it and the spelling of a number do not count.
  std::optional<std::int64_t> find(std::string_view text, bool quoted) const {
    if (const auto found = exact_.find(text); found != exact_.end()) return found->second;
    if (quoted) return std::nullopt;
    const auto found = unquoted_.find(unquoted_label(text));
    return found == unquoted_.end() ? std::nullopt : std::optional(found->second);
  }
  std::int64_t add(std::string_view text, bool quoted) {
    names_.push_back(quoted ? std::string(text) : unquoted_label(text));
    const auto added = static_cast<std::int64_t>(names_.size()) - 1;
    index(added);
    return added;
  }

  std::size_t count() const { return names_.size(); }
  std::vector<std::string> take() { return std::move(names_); }
  // "cat, dog", of many the first.
  std::string listed() const { return first_joined(names_, kMostLabelsListed); }

 private:
  void index(std::int64_t number) {
    const std::string& name = names_[static_cast<std::size_t>(number)];
    exact_.emplace(name, number);
    unquoted_.emplace(unquoted_label(name), number);
  }

  std::vector<std::string> names_;
  std::map<std::string, std::int64_t, std::less<>> exact_, unquoted_;
};

class LabelReader {
 public:
  LabelReader(const Table& table, std::size_t column, const std::vector<std::uint32_t>& rows, const InputInfo& input,
              std::int64_t limit, Vocabularies& vocabularies)
      : table_(table),
        column_(column),
        rows_(rows),
        input_(input),
        known_(vocabularies.find(input.name)),
        vocabularies_(vocabularies),
        limit_(limit),
        classes_(rows.size()) {}

  Result<std::vector<std::int64_t>> read() {
    if (known_ != nullptr && !known_->names.empty()) return read_names(Names(known_->names), false);
    if (limit_ == 0 && known_ != nullptr) limit_ = known_->numbers;
    const bool learns = vocabularies_.may_learn(input_.name);
    if (const std::optional<std::size_t> at = first_that_is_no_class(learns)) {
      // Numbers that a table does not have are an error, not labels.
      const bool are_numbers = input_.values.kind == ValueRange::Kind::index && are_whole_numbers();
      if (!learns || are_numbers) return no_class(*at);
      return read_names(Names({}), true);
    }
    if (learns) vocabularies_.learn(input_.name, {{}, limit_});
    return std::move(classes_);
  }

 private:
  std::string_view cell(std::size_t i) const { return table_.cell(rows_[i], column_); }
  bool is_quoted(std::size_t i) const { return table_.is_quoted(rows_[i], column_); }
  Diagnostic error_at_row(std::size_t i, const std::string& message) const {
    return error_in_file(table_.name(), table_.line(rows_[i]),
                         fmt::format("{}: {}", table_.column_label(column_), message));
  }

  std::optional<std::int64_t> number_at(std::size_t i) const {
    const std::string_view text = cell(i);
    return is_quoted(i) && has_blanks_around(text) ? std::nullopt : whole_number(text);
  }
  bool is_class(std::optional<std::int64_t> number) const {
    return number && ((*number >= 0 && *number < end_) || does_not_count(*number));
  }
  // How many rows behind row i are not as they should be.
  template <class Right>
  std::string more_behind(std::size_t i, const Right& is_right) const {
    std::size_t more = 0;
    for (std::size_t k = i + 1; k < rows_.size(); ++k) more += is_right(k) ? 0 : 1;
    return and_more(more, "row");
  }
  bool does_not_count(std::int64_t number) const { return input_.values.ignored == number; }
  bool is_ignored(std::size_t i) const {
    const std::optional<std::int64_t> number = input_.values.ignored ? number_at(i) : std::nullopt;
    return number && does_not_count(*number);
  }
  bool are_whole_numbers() const {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!number_at(i)) return false;
    }
    return true;
  }

  // Takes labels for class numbers. Without a limit, these are theirs only if none is left out, so that numbers such as
  // 5 and 9 are names; what a model knows already may have any.
  std::optional<std::size_t> first_that_is_no_class(bool learns) {
    end_ = limit_ > 0 ? limit_ : learns ? static_cast<std::int64_t>(rows_.size()) : kMostClasses;
    std::vector<bool> seen(limit_ == 0 && learns ? rows_.size() : 0);
    std::int64_t most = -1;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::optional<std::int64_t> number = number_at(i);
      if (!is_class(number)) return i;
      classes_[i] = *number;
      if (seen.empty() || does_not_count(*number)) continue;
      seen[static_cast<std::size_t>(*number)] = true;
      most = std::max(most, *number);
    }
    if (seen.empty()) return std::nullopt;
    if (std::count(seen.begin(), seen.end(), true) != most + 1) return 0;
    limit_ = most + 1;
    return std::nullopt;
  }

  Result<std::vector<std::int64_t>> read_names(Names names, bool learns) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string_view text = cell(i);
      std::optional<std::int64_t> found = names.find(text, is_quoted(i));
      if (!found && is_ignored(i)) {
        classes_[i] = *input_.values.ignored;
        continue;
      }
      if (!found && !learns) {
        const std::string more =
            more_behind(i, [&](std::size_t k) { return names.find(cell(k), is_quoted(k)) || is_ignored(k); });
        return error_at_row(
            i, fmt::format("training did not see the label '{}'; it knows {}{}", excerpt(text), names.listed(), more));
      }
      if (!found) found = names.add(text, is_quoted(i));
      if (limit_ > 0 && *found >= limit_) return too_many(i, *found, std::move(names));
      classes_[i] = *found;
    }
    if (learns) vocabularies_.learn(input_.name, {names.take(), 0});
    return std::move(classes_);
  }

  // Row i has the first label that there is no class for; labels may be given names.
  Diagnostic too_many(std::size_t i, std::int64_t label, Names names) const {
    for (std::size_t k = i + 1; k < rows_.size() && !vocabularies_.is_closed(); ++k) {
      if (!names.find(cell(k), is_quoted(k)) && !is_ignored(k)) names.add(cell(k), is_quoted(k));
    }
    return error_at_row(
        i, fmt::format("'{}' is label number {} of {}, but '{}' is {} and takes {}", excerpt(cell(i)), label + 1,
                       names.count(), input_.name, to_string(input_.type.shape), counted(limit_, "class", "classes")));
  }

  Diagnostic no_class(std::size_t i) const {
    const std::string wanted = limit_ > 0 ? fmt::format("a class from 0 to {}", limit_ - 1) : "the number of a class";
    const std::string more = more_behind(i, [&](std::size_t k) { return is_class(number_at(k)); });
    Diagnostic diagnostic =
        error_at_row(i, fmt::format("{} is wanted, here is '{}'{}", wanted, excerpt(cell(i)), more));
    if (known_ == nullptr && vocabularies_.is_closed()) {
      diagnostic.notes.push_back(
          {{},
           fmt::format("the weights do not name the classes of '{0}', so that labels must be the numbers of their "
                       "classes; `tarn weights FILE --classes '{0}=[\"…\", \"…\"]'` gives the weights the names",
                       input_.name)});
    }
    return diagnostic;
  }

  const Table& table_;
  const std::size_t column_;
  const std::vector<std::uint32_t>& rows_;
  const InputInfo& input_;
  const Vocabulary* const known_;
  Vocabularies& vocabularies_;
  std::int64_t limit_;
  std::int64_t end_ = 0;  // of what is taken for the number of a class
  std::vector<std::int64_t> classes_;
};

}  // namespace

Result<std::int64_t> class_limit(const InputInfo& input, const DataBinding& binding) {
  const std::int64_t elements = element_count(input.type.shape);
  std::int64_t limit = 0;
  if (binding.encoding == DataBinding::Encoding::one_hot) {
    limit = elements;
    if (binding.classes != 0 && binding.classes != elements) {
      return error_at(binding.span, fmt::format("'{}' is {}, and one_hot makes {} of a label", input.name,
                                                to_string(input.type.shape), counted(binding.classes, "number")));
    }
  } else if (input.values.counts()) {
    limit = input.values.count;
  } else if (input.values.kind == ValueRange::Kind::probability && elements == 1) {
    limit = 2;
  }
  if (binding.classes == 0) return limit;
  if (limit > 0 && binding.classes > limit) {
    return error_at(binding.span, fmt::format("'{}' takes {}, and this says that there are {}", input.name,
                                              counted(limit, "class", "classes"), binding.classes));
  }
  return binding.classes;
}

Result<std::vector<std::int64_t>> read_labels(const Table& table, std::size_t column,
                                              const std::vector<std::uint32_t>& rows, const InputInfo& input,
                                              const DataBinding& binding, Vocabularies& vocabularies) {
  TARN_TRY(const std::int64_t limit, class_limit(input, binding));
  return LabelReader(table, column, rows, input, limit, vocabularies).read();
}

}  // namespace tarn
