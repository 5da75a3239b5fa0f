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
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: return "note";
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

bool continues_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// What stands in the line before `column`, with everything but tabs replaced by spaces, so that the caret lines up.
std::string indent_to(std::string_view line, std::uint32_t column) {
  std::string indent;
  std::uint32_t at = 1;
  for (char c : line) {
    if (continues_code_point(c)) continue;
    if (at++ >= column) break;
    indent += c == '\t' ? '\t' : ' ';
  }
  while (at++ < column) indent += ' ';
  return indent;
}

struct Colors {
  const char *bold, *severity, *caret, *reset;
};

Colors colors_for(Severity severity, bool color) {
  if (!color) return {"", "", "", ""};
  const char* tint = severity == Severity::error ? "\033[1;31m" : severity == Severity::warning ? "\033[1;35m" : "\033[1;36m";
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
  out += fmt::format("{} | {}\n", number, line);
  out += fmt::format("{} | {}{}{}{}{}{}\n", std::string(number.size(), ' '), indent_to(line, span.column), c.caret,
                     std::string(std::max<std::uint32_t>(span.length, 1), '^'), c.reset, label.empty() ? "" : " ", label);
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
  for (const Note& note : diagnostic.notes) format_one(out, Severity::note, note.span, note.message, "", sources, color);
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
    const std::size_t gap = candidate.size() > name.size() ? candidate.size() - name.size() : name.size() - candidate.size();
    if (gap > limit || candidate.size() > 256) continue;
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
