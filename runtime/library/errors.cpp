// The last error of each thread. See library.h.
#include <algorithm>

#include "runtime/library/library.h"

namespace tarn {

namespace {

// One row of tarn_error_get, with its texts.
struct ErrorRow {
  tarn_severity severity;
  Span span;
  std::string file, message, label;
};

struct LastError {
  std::vector<ErrorRow> rows;
  std::string message;
};

LastError& last_error() {
  thread_local LastError error;
  return error;
}

tarn_severity severity_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return TARN_ERROR;
    case Severity::warning:
      return TARN_WARNING;
    case Severity::note:
      break;
  }
  return TARN_NOTE;
}

tarn_status finish_plain(tarn_status code, const char* message) {
  LastError& last = last_error();
  try {
    last.message = std::string("error: ") + message + "\n";
    last.rows.assign(1, {TARN_ERROR, {}, "", message, ""});
  } catch (const std::bad_alloc&) {
    last.message.clear();
    last.rows.clear();
  }
  return code;
}

}  // namespace

Answer invalid(std::string message) { return {TARN_INVALID, {error(std::move(message))}}; }

Answer is_null(const std::string& what) { return invalid(what + " is null"); }

Answer stopped() { return {TARN_STOPPED, {error("stopped before the end")}}; }

Answer failure(tarn_status code, Diagnostics diagnostics) {
  const bool machine = machine_failed(diagnostics);
  return {machine ? tarn_status{TARN_SYSTEM} : code, std::move(diagnostics)};
}

tarn_status finish(const Answer& answer, const Sources& sources) {
  if (!answer.failed()) return TARN_OK;
  LastError& last = last_error();
  last.message = format(answer.diagnostics, sources);
  last.rows.clear();
  for (const Diagnostic& diagnostic : answer.diagnostics) {
    last.rows.push_back({severity_of(diagnostic.severity), diagnostic.span,
                         std::string(sources.name(diagnostic.span.file)), diagnostic.message, diagnostic.label});
    for (const Note& note : diagnostic.notes) {
      last.rows.push_back({TARN_NOTE, note.span, std::string(sources.name(note.span.file)), note.message, ""});
    }
  }
  return answer.code;
}

tarn_status null_argument(const std::string& what) { return finish(is_null(what), {}); }

tarn_status finish_out_of_memory() { return finish_plain(TARN_SYSTEM, "out of memory"); }

tarn_status finish_bug(const char* what) { return finish_plain(TARN_BUG, what); }

}  // namespace tarn

const char* tarn_error_message() { return tarn::last_error().message.c_str(); }

size_t tarn_error_count() { return tarn::last_error().rows.size(); }

tarn_status tarn_error_get(size_t index, tarn_diagnostic* diagnostic) {
  const std::vector<tarn::ErrorRow>& rows = tarn::last_error().rows;
  // No message of its own: it would replace the ones that are being read.
  if (index >= rows.size() || diagnostic == nullptr) return TARN_INVALID;
  const tarn::ErrorRow& row = rows[index];
  *diagnostic = {row.severity,     row.span.line,       row.span.column,  row.span.length,
                 row.file.c_str(), row.message.c_str(), row.label.c_str()};
  return TARN_OK;
}
