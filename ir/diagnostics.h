// Source positions, diagnostics and Result<T>: how everything that a user can get wrong is reported.
//
// Contract: a function that can fail because of the user's input returns Result<T>; it holds either a value or at least
// one diagnostic of severity error. What only a bug in Tarn can cause is a TARN_CHECK, which aborts. Nothing here
// throws.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tarn {

// Index into Sources. 0 is "no file": a span with file 0 has no position.
using FileId = std::uint32_t;

// A stretch of one line of a source file. Lines and columns count from 1; columns and length count Unicode code points,
// so that a caret printed below the line stands under the right character.
struct Span {
  FileId file = 0;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t length = 0;

  explicit operator bool() const { return file != 0; }
  friend bool operator==(const Span&, const Span&) = default;
};

// The texts that were compiled, kept for printing lines under diagnostics. Files are added once and never change.
class Sources {
 public:
  // `name` is what diagnostics call the file: the path as the user gave it, or "prelude/losses.tarn".
  FileId add(std::string name, std::string text);
  // The name of a known file, "" for 0.
  std::string_view name(FileId file) const;
  std::string_view text(FileId file) const;
  // The text of a line without its line end; "" where there is no such line.
  std::string_view line(FileId file, std::uint32_t line) const;
  std::optional<FileId> find(std::string_view name) const;

 private:
  struct File {
    std::string name;
    std::string text;
    std::vector<std::size_t> line_starts;
  };
  // unique_ptr keeps string_views valid while files are added.
  std::vector<std::unique_ptr<File>> files_;
};

enum class Severity { error, warning, note };
std::string_view name_of(Severity severity);

struct Note {
  Span span;  // may be empty
  std::string message;
};

struct Diagnostic {
  Severity severity = Severity::error;
  Span span;  // may be empty: a missing file has no line
  std::string message;
  // "in layer 'readout', called here": printed behind the carets of the main span.
  std::string label;
  std::vector<Note> notes;
  // The machine failed (disk full, I/O error), not the user's file: the driver's exit status is 3, not 1.
  bool machine = false;
};

using Diagnostics = std::vector<Diagnostic>;

inline Diagnostic error_at(Span span, std::string message, std::vector<Note> notes = {}) {
  return {Severity::error, span, std::move(message), {}, std::move(notes)};
}
inline Diagnostic error(std::string message) { return {Severity::error, {}, std::move(message), {}, {}}; }
inline Diagnostic warning_at(Span span, std::string message) {
  return {Severity::warning, span, std::move(message), {}, {}};
}

bool has_errors(const Diagnostics& diagnostics);
// Whether one of the errors is the machine's fault.
bool machine_failed(const Diagnostics& diagnostics);

// "iris.tarn:4:37: error: …" with the line, carets and notes; every line ends in '\n'. `color` uses ANSI escapes. Of a
// long line about 160 columns around the caret are shown, with "…" where it is cut.
std::string format(const Diagnostic& diagnostic, const Sources& sources, bool color = false);
std::string format(const Diagnostics& diagnostics, const Sources& sources, bool color = false);

// The candidate nearest to `name` in edit distance (insert, delete, replace, swap neighbours), if it is near enough to
// be what was meant (at most a third of the length of `name`, at least 1); for "did you mean".
std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// A value, or the diagnostics that say why there is none. In the shape of std::expected<T, Diagnostics>.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Diagnostics errors) : state_(std::in_place_index<1>, std::move(errors)) {}
  Result(Diagnostic error) : state_(std::in_place_index<1>) { std::get<1>(state_).push_back(std::move(error)); }

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Diagnostics& error() & { return std::get<1>(state_); }
  const Diagnostics& error() const& { return std::get<1>(state_); }
  Diagnostics&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Diagnostics> state_;
};

// Success without a value.
struct Done {};
using Status = Result<Done>;

// Where `expression` (a Result) failed, return its diagnostics from this function; otherwise bind its value to `name`.
#define TARN_TRY_CONCATENATE_(a, b) a##b
#define TARN_TRY_NAME_(a, b) TARN_TRY_CONCATENATE_(a, b)
#define TARN_TRY(name, expression) \
  TARN_TRY_IMPLEMENTATION_(name, expression, TARN_TRY_NAME_(tarn_try_result_, __LINE__))
// `name` may be a declaration, which takes no parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define TARN_TRY_IMPLEMENTATION_(name, expression, temporary)      \
  auto temporary = (expression);                                   \
  if (!temporary.has_value()) return std::move(temporary).error(); \
  name = std::move(temporary).value()
// NOLINTEND(bugprone-macro-parentheses)
// The same for a Status or a Result whose value is not wanted.
#define TARN_RETURN_IF_ERROR(expression) \
  if (auto tarn_status = (expression); !tarn_status.has_value()) return std::move(tarn_status).error()

// Prints "bug in tarn", the place and the message, and aborts. For what only a bug can cause.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);
#define TARN_CHECK(condition, message) \
  ((condition) ? static_cast<void>(0) : ::tarn::check_failed(__FILE__, __LINE__, #condition, (message)))

}  // namespace tarn
