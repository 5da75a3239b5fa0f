// Formatting of diagnostics, line look-up, and the nearest-name search. See diagnostics.h.
#include "ir/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tarn {

FileId Sources::add(std::string name, std::string text) {
  auto file = std::make_unique<File>();
  file->name = std::move(name);
  file->text = std::move(text);
  file->line_starts.push_back(0);
  for (std::size_t i = 0; i < file->text.size(); ++i) {
    if (file->text[i] == '\n') file->line_starts.push_back(i + 1);
  }
  files_.push_back(std::move(file));
  return static_cast<FileId>(files_.size());
}

std::string_view Sources::name(FileId file) const {
  return file == 0 || file > files_.size() ? std::string_view() : files_[file - 1]->name;
}

std::string_view Sources::text(FileId file) const {
  return file == 0 || file > files_.size() ? std::string_view() : files_[file - 1]->text;
}

std::string_view Sources::line(FileId file, std::uint32_t line) const {
  if (file == 0 || file > files_.size()) return {};
  const File& f = *files_[file - 1];
  if (line == 0 || line > f.line_starts.size()) return {};
  const std::size_t begin = f.line_starts[line - 1];
  std::size_t end = line < f.line_starts.size() ? f.line_starts[line] - 1 : f.text.size();
  if (end > begin && f.text[end - 1] == '\r') --end;
  return std::string_view(f.text).substr(begin, end - begin);
}

std::optional<FileId> Sources::find(std::string_view name) const {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i]->name == name) return static_cast<FileId>(i + 1);
  }
  return std::nullopt;
}

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
  }
  return "error";
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::error; });
}

bool machine_failed(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::error && d.machine; });
}

namespace {

// What is shown of a line: as many code points at most, and so many of them in front of the caret where the line is cut
// there.
constexpr std::size_t kShownColumns = 160;
constexpr std::size_t kShownBeforeCaret = 60;

// The end of the code point that begins at byte `at`. Stray continuation bytes count in fours, so that no text is
// without columns.
std::size_t next_code_point(std::string_view text, std::size_t at) {
  const auto continues = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U; };
  const std::size_t limit = std::min(text.size(), at + 4);
  for (++at; at < limit && continues(at);) ++at;
  return at;
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at = next_code_point(text, at)) ++count;
  return count;
}

// `count` code points from the code point `first` (from 0) on, or as many as there are.
std::string_view code_points(std::string_view text, std::size_t first, std::size_t count) {
  std::size_t begin = 0;
  for (; first > 0 && begin < text.size(); --first) begin = next_code_point(text, begin);
  std::size_t end = begin;
  for (; count > 0 && end < text.size(); --count) end = next_code_point(text, end);
  return text.substr(begin, end - begin);
}

// What a terminal would obey, and where a string of C would end, is shown as one character that is neither.
std::string without_controls(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_control = (byte < 0x20 && c != '\t') || byte == 0x7F;
    shown += is_control ? std::string_view("\uFFFD") : std::string_view(&c, 1);
  }
  return shown;
}

// A line as it is shown, and what goes below it: white space up to the caret, and the number of carets.
struct Excerpt {
  std::string line;
  std::string indent;
  std::size_t carets;
};

Excerpt excerpt_around(std::string_view line, Span span) {
  const std::size_t count = count_code_points(line);
  // A span may stand right behind the last character: what is missing at the end of the line.
  const std::size_t caret = std::min<std::size_t>(std::max<std::uint32_t>(span.column, 1) - 1, count);
  std::size_t first = 0;
  if (count > kShownColumns && caret > kShownBeforeCaret) {
    first = std::min(caret - kShownBeforeCaret, count - kShownColumns);
  }
  const std::size_t last = std::min(count, first + kShownColumns);
  Excerpt excerpt{{}, first > 0 ? " " : "", std::min<std::size_t>(span.length, last - caret)};
  const std::string_view shown = code_points(line, first, last - first);
  excerpt.line = fmt::format("{}{}{}", first > 0 ? "…" : "", without_controls(shown), last < count ? "…" : "");
  // Tabs stay, so that the caret lines up whatever their width.
  const std::string_view before = code_points(shown, 0, caret - first);
  for (std::size_t at = 0; at < before.size(); at = next_code_point(before, at)) {
    excerpt.indent += before[at] == '\t' ? '\t' : ' ';
  }
  excerpt.carets = std::max<std::size_t>(excerpt.carets, 1);
  return excerpt;
}

struct Colors {
  const char *bold, *severity, *caret, *reset;
};

Colors colors_for(Severity severity, bool color) {
  if (!color) return {"", "", "", ""};
  const char* tint = severity == Severity::error     ? "\033[1;31m"
                     : severity == Severity::warning ? "\033[1;35m"
                                                     : "\033[1;36m";
  return {"\033[1m", tint, "\033[1;32m", "\033[0m"};
}

void format_one(std::string& out, Severity severity, Span span, const std::string& message, const std::string& label,
                const Sources& sources, bool color) {
  const Colors c = colors_for(severity, color);
  if (span) out += fmt::format("{}{}:{}:{}:{} ", c.bold, sources.name(span.file), span.line, span.column, c.reset);
  out += fmt::format("{}{}:{} {}\n", c.severity, name_of(severity), c.reset, message);
  if (!span) return;
  const std::string_view line = sources.line(span.file, span.line);
  if (line.empty()) return;
  const std::string number = fmt::format("{:>4}", span.line);
  const Excerpt excerpt = excerpt_around(line, span);
  out += fmt::format("{} | {}\n", number, excerpt.line);
  out += fmt::format("{} | {}{}{}{}{}{}\n", std::string(number.size(), ' '), excerpt.indent, c.caret,
                     std::string(excerpt.carets, '^'), c.reset, label.empty() ? "" : " ", label);
}

// Damerau–Levenshtein distance in its restricted form (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) current[j] = std::min(current[j], before[j - 2] + 1);
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

}  // namespace

std::string format(const Diagnostic& diagnostic, const Sources& sources, bool color) {
  std::string out;
  format_one(out, diagnostic.severity, diagnostic.span, diagnostic.message, diagnostic.label, sources, color);
  for (const Note& note : diagnostic.notes)
    format_one(out, Severity::note, note.span, note.message, "", sources, color);
  return out;
}

std::string format(const Diagnostics& diagnostics, const Sources& sources, bool color) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += format(d, sources, color);
  return out;
}

std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  const std::size_t limit = std::max<std::size_t>(1, name.size() / 3);
  std::optional<std::string> best;
  std::size_t best_distance = limit + 1;
  for (const std::string& candidate : candidates) {
    // Lengths alone rule most candidates out; a long name from hostile input is not compared at all.
    const std::size_t gap =
        candidate.size() > name.size() ? candidate.size() - name.size() : name.size() - candidate.size();
    if (gap > limit || candidate.empty() || candidate.size() > 256) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "bug in tarn: %s:%d: %s: %s\n", file, line, condition, message.c_str());
  std::abort();
}

}  // namespace tarn
