// See reports.h.
#include "frontend/elaborate/reports.h"

#include <fmt/format.h>

#include <algorithm>

namespace tarn::elaboration {

namespace {

constexpr std::size_t kMostCallNotes = 4;

// The byte at which code point number `column` (from 1) begins.
std::size_t byte_of_column(std::string_view line, std::uint32_t column) {
  std::size_t byte = 0;
  for (std::uint32_t at = 1; byte < line.size(); ++byte) {
    if ((static_cast<unsigned char>(line[byte]) & 0xC0U) == 0x80U) continue;
    if (at++ == column) break;
  }
  return byte;
}

std::string parameters_text(const Reports& reports, const std::vector<ast::Parameter>& parameters) {
  std::string out = "(";
  for (const ast::Parameter& p : parameters) {
    if (out.size() > 1) out += ", ";
    out += p.name.name;
    if (p.default_value) out += " = " + reports.source_text(p.default_value->span);
  }
  return out + ")";
}

}  // namespace

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  // What Keras calls otherwise is too far off for the edit distance.
  std::string keras = name_for_keras(name, candidates);
  const std::optional<std::string> nearest = keras.empty() ? nearest_name(name, candidates) : std::move(keras);
  return nearest ? fmt::format("; did you mean '{}'?", *nearest) : std::string();
}

std::string proposal(std::string_view name, const std::vector<std::string>& candidates, WordPlace place) {
  const bool has_name = !name_for_keras(name, candidates).empty();
  const std::string advice = has_name ? std::string() : advice_on_keras(name, place);
  return advice.empty() ? did_you_mean(name, candidates) : advice;
}

void Reports::fail(Diagnostic diagnostic) {
  const Span span = diagnostic.span;
  if (stopped_ || !reported_.insert({span.file, span.line, span.column, diagnostic.message}).second) return;
  diagnostics.push_back(std::move(diagnostic));
  if (++error_count_ < kMaxReportedErrors) return;
  diagnostics.push_back(error("too many errors: stopped here"));
  stopped_ = true;
}

ErrorValue Reports::fail(Span span, const std::string& message, const std::string& what, const std::string& detail) {
  const std::string place = what.empty() ? "here" : "in this " + what;
  Diagnostic diagnostic = error_at(span, message);
  if (is_own(span)) {
    if (!detail.empty()) diagnostic.notes.push_back({{}, detail});
    std::size_t count = 0;
    Span before;
    for (auto frame = frames.rbegin(); frame != frames.rend() && count < kMostCallNotes; ++frame) {
      // A function that calls itself is named once.
      if (!frame->call || frame->call == before || frame->call == span) continue;
      diagnostic.notes.push_back({frame->call, fmt::format("in {}, called here", frame->context)});
      before = frame->call;
      ++count;
    }
  } else {
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
      if (!is_own(frame->call)) continue;
      diagnostic.span = frame->call;
      diagnostic.label = fmt::format("in {}, called here", frame->context);
      // The message of a check says all there is to say.
      if (what != "check") diagnostic.notes.push_back({span, detail.empty() ? place : place + ": " + detail});
      break;
    }
  }
  fail(std::move(diagnostic));
  return {};
}

void Reports::warn(Span span, const std::string& message) {
  for (auto frame = frames.rbegin(); frame != frames.rend() && !is_own(span); ++frame) span = frame->call;
  if (reported_.insert({span.file, span.line, span.column, message}).second) {
    diagnostics.push_back(warning_at(span, message));
  }
}

std::string Reports::source_text(Span span) const {
  const std::string_view line = sources.line(span.file, span.line);
  const std::size_t begin = byte_of_column(line, span.column);
  const std::size_t end = byte_of_column(line, span.column + span.length);
  return std::string(line.substr(begin, end - begin));
}

std::string Reports::signature(const FunctionValue& function) const {
  if (function.declaration == nullptr) return parameters_text(*this, function.lambda->parameters) + " => …";
  std::string out = function.declaration->name.name;
  for (const auto& list : function.declaration->parameter_lists) out += parameters_text(*this, list);
  return out;
}

bool Reports::spend(std::uint64_t steps, Span span) {
  if (stopped_) return false;
  steps_ += steps;
  if (steps_ > options.limits.steps) {
    fail(span, fmt::format("the model takes more than {} steps to unroll", options.limits.steps));
    stopped_ = true;
  } else if (graphs_.has_current() && graphs_.current().graph.size() > options.limits.nodes) {
    fail(span, fmt::format("the graph '{}' has more than {} operations", graphs_.current().function.name,
                           options.limits.nodes));
    stopped_ = true;
  }
  return !stopped_;
}

LocationId Reports::location_of(Span span) {
  Location location;
  location.span = span;
  if (!frames.empty()) {
    location.context = frames.back().context;
    location.caller = frames.back().location;
  }
  return graphs_.locations->add(std::move(location));
}

}  // namespace tarn::elaboration
