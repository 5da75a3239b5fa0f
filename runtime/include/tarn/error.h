// Exceptions of the C++ API: what the C API reports, by class and with all diagnostics. See tarn/tarn.h.
#pragma once

#include <tarn/c.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tarn {
inline namespace v0 {

struct Diagnostic {
  enum class Severity { error, warning, note };  // notes belong to the error or warning before them
  Severity severity = Severity::error;
  std::string file;                                // "" where there is no place
  std::uint32_t line = 0, column = 0, length = 0;  // from 1
  std::string message, label;
};

// what() has all diagnostics with their lines and carets.
class Error : public std::runtime_error {
 public:
  Error(tarn_status code, const std::string& message, std::vector<Diagnostic> diagnostics)
      : std::runtime_error(message),
        code_(code),
        diagnostics_(std::make_shared<const std::vector<Diagnostic>>(std::move(diagnostics))) {}
  tarn_status code() const noexcept { return code_; }
  const std::vector<Diagnostic>& diagnostics() const noexcept { return *diagnostics_; }

 private:
  tarn_status code_;
  std::shared_ptr<const std::vector<Diagnostic>> diagnostics_;  // shared: copies of exceptions must not throw
};
// An argument is wrong: a name, a shape, a type, memory.
class ArgumentError : public Error {
  using Error::Error;
};
// The model file has errors.
class CompileError : public Error {
  using Error::Error;
};
// A file of weights or data is missing, malformed or of another model.
class DataError : public Error {
  using Error::Error;
};
// No memory, no room on the disk, an I/O error.
class SystemError : public Error {
  using Error::Error;
};
// The session is training in another call.
class BusyError : public Error {
  using Error::Error;
};
// Session::stop ended the call.
class StoppedError : public Error {
  using Error::Error;
};
// The loss or an update became NaN or infinite.
class NotFiniteError : public Error {
  using Error::Error;
};

namespace detail {

inline std::vector<Diagnostic> last_diagnostics() {
  std::vector<Diagnostic> diagnostics;
  const std::size_t count = tarn_error_count();
  for (std::size_t i = 0; i < count; ++i) {
    tarn_diagnostic row;
    if (tarn_error_get(i, &row) != TARN_OK) break;
    diagnostics.push_back({static_cast<Diagnostic::Severity>(row.severity), row.file, row.line, row.column, row.length,
                           row.message, row.label});
  }
  return diagnostics;
}

[[noreturn]] inline void throw_error(tarn_status code) {
  const std::string message = tarn_error_message();
  std::vector<Diagnostic> diagnostics = last_diagnostics();
  switch (code) {
    case TARN_INVALID:
      throw ArgumentError(code, message, std::move(diagnostics));
    case TARN_COMPILE:
      throw CompileError(code, message, std::move(diagnostics));
    case TARN_DATA:
      throw DataError(code, message, std::move(diagnostics));
    case TARN_SYSTEM:
      throw SystemError(code, message, std::move(diagnostics));
    case TARN_BUSY:
      throw BusyError(code, message, std::move(diagnostics));
    case TARN_STOPPED:
      throw StoppedError(code, message, std::move(diagnostics));
    case TARN_NOT_FINITE:
      throw NotFiniteError(code, message, std::move(diagnostics));
    default:
      throw Error(code, message, std::move(diagnostics));
  }
}

inline void check(tarn_status code) {
  if (code != TARN_OK) throw_error(code);
}

[[noreturn]] inline void throw_argument_error(const std::string& message) {
  throw ArgumentError(TARN_INVALID, "error: " + message + "\n",
                      {{Diagnostic::Severity::error, "", 0, 0, 0, message, ""}});
}

}  // namespace detail

}  // namespace v0
}  // namespace tarn
