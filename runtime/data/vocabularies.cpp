// See vocabularies.h.
#include "runtime/data/vocabularies.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <utility>

#include "ir/diagnostics.h"
#include "runtime/files/number_text.h"

namespace tarn {

Vocabularies Vocabularies::of_weights(Map known, Columns columns) {
  Vocabularies vocabularies;
  vocabularies.known_ = std::move(known);
  vocabularies.columns_ = std::move(columns);
  vocabularies.closed_ = true;
  return vocabularies;
}

const Vocabulary* Vocabularies::find(std::string_view input) const {
  const auto found = known_.find(input);
  return found == known_.end() ? nullptr : &found->second;
}

const std::vector<std::string>& Vocabularies::names(std::string_view input) const {
  static const std::vector<std::string> kNone;
  const Vocabulary* const vocabulary = find(input);
  return vocabulary == nullptr ? kNone : vocabulary->names;
}

const std::vector<std::string>* Vocabularies::columns(std::string_view input) const {
  const auto found = columns_.find(input);
  return found == columns_.end() ? nullptr : &found->second;
}

void Vocabularies::note_columns(const std::string& input, std::vector<std::string> names) {
  if (!closed_) columns_.emplace(input, std::move(names));
}

void Vocabularies::learn(const std::string& input, Vocabulary vocabulary) {
  TARN_CHECK(may_learn(input), "labels of '" + input + "' are numbered already");
  known_[input] = std::move(vocabulary);
}

std::string unquoted_label(std::string_view text) {
  text = without_blanks(text);
  const auto is_digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  const std::size_t first = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const bool is_padded = is_digit(first) && text[first] == '0' && is_digit(first + 1);
  const std::optional<double> number = is_padded ? std::nullopt : parse_number(text);
  if (!number || !std::isfinite(*number)) return std::string(text);
  constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it different numbers may be the same double
  if (std::fabs(*number) >= kExact) return std::string(text);
  return *number == std::floor(*number) ? fmt::format("{}", static_cast<std::int64_t>(*number))
                                        : fmt::format("{}", *number);
}

}  // namespace tarn
