// See text_parts.h.
#include "ir/text_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/text.h"
#include "ir/type_rules.h"

namespace tarn {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && !is_digit(text.front()) && std::all_of(text.begin(), text.end(), is_word_character);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string name_text(const std::string& name) { return is_name(name) ? name : quoted(name); }

std::string origin_of(LocationId id, const Locations& locations, const Sources& sources) {
  const Span span = locations.outermost(id);
  if (!span) return "";
  LocationId called = id;
  for (LocationId at = called; locations[at].caller != 0; at = locations[at].caller) called = at;
  const std::string& context = locations[called].context;
  return fmt::format("{}:{}{}{}", sources.name(span.file), span.line, context.empty() ? "" : ", ", context);
}

std::string span_text(Span span, const Sources& sources) {
  if (!span) return "-";
  const std::string length = span.length != 0 ? fmt::format("+{}", span.length) : "";
  return fmt::format("{}:{}:{}{}", quoted(sources.name(span.file)), span.line, span.column, length);
}

void print_location(std::string& out, const Locations& locations, LocationId id, const Sources& sources) {
  for (; id != 0; id = locations[id].caller) {
    const auto& [span, context, caller] = locations[id];
    out += " @ " + span_text(span, sources);
    if (!context.empty()) out += " in " + quoted(context);
  }
}

Diagnostic Scanner::fail(std::string message) const {
  const std::string_view before = text_.substr(0, start_);
  Span span{file_, 1, 1, 1};
  for (const char c : before) {
    if (c == '\n') {
      ++span.line;
      span.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++span.column;
    }
  }
  return error_at(span, std::move(message));
}

Diagnostic Scanner::fail_expected(std::string_view what) const {
  if (start_ >= text_.size()) return fail(fmt::format("{} is missing at the end", what));
  return fail(fmt::format("{} is expected here", what));
}

void Scanner::skip() {
  while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#')) {
    at_ = text_[at_] == '#' ? std::min(text_.find('\n', at_), text_.size()) : at_ + 1;
  }
  start_ = at_;
}

bool Scanner::at_end() {
  skip();
  return at_ >= text_.size();
}

bool Scanner::peek(char c) {
  skip();
  return at_ < text_.size() && text_[at_] == c;
}

bool Scanner::peek_number() {
  skip();
  std::string_view rest = text_.substr(at_);
  if (rest.starts_with('-')) rest.remove_prefix(1);
  if (!rest.empty() && is_digit(rest.front())) return true;
  const auto end = std::find_if_not(rest.begin(), rest.end(), is_word_character);
  const std::string_view word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  return word == "inf" || word == "nan";
}

bool Scanner::accept(char c) {
  if (!peek(c)) return false;
  ++at_;
  return true;
}

bool Scanner::accept_sign(std::string_view sign) {
  skip();
  if (!text_.substr(at_).starts_with(sign)) return false;
  at_ += sign.size();
  return true;
}

Status Scanner::expect(char c) {
  if (accept(c)) return Done{};
  return fail_expected(fmt::format("'{}'", c));
}

std::string_view Scanner::accept_word() {
  skip();
  while (at_ < text_.size() && is_word_character(text_[at_])) ++at_;
  return text_.substr(start_, at_ - start_);
}

bool Scanner::accept_keyword(std::string_view keyword) {
  skip();
  const std::size_t begin = at_;
  if (accept_word() == keyword) return true;
  at_ = begin;
  return false;
}

Status Scanner::expect_keyword(std::string_view keyword) {
  if (accept_keyword(keyword)) return Done{};
  return fail_expected(fmt::format("'{}'", keyword));
}

Result<std::string_view> Scanner::word(std::string_view what) {
  const std::string_view found = accept_word();
  if (found.empty()) return fail_expected(what);
  return found;
}

Result<std::string> Scanner::string(std::string_view what) {
  if (!accept('"')) return fail_expected(what);
  std::string value;
  while (at_ < text_.size() && text_[at_] != '"') {
    if (text_[at_] != '\\') {
      value += text_[at_++];
      continue;
    }
    TARN_TRY(const char character, escape());
    value += character;
  }
  if (at_ >= text_.size()) return fail("this string does not end");
  ++at_;
  return value;
}

Result<std::string> Scanner::name() {
  if (peek('"')) return string("a name");
  TARN_TRY(const std::string_view name, word("a name"));
  return std::string(name);
}

// The character that \n, \", \\ or \xNN stands for.
Result<char> Scanner::escape() {
  const std::string_view rest = text_.substr(at_ + 1, 3);
  at_ += 2;
  if (rest.starts_with('n')) return '\n';
  if (rest.starts_with('"') || rest.starts_with('\\')) return rest.front();
  if (rest.size() == 3 && rest.front() == 'x' && hex_digit(rest[1]) >= 0 && hex_digit(rest[2]) >= 0) {
    at_ += 2;
    return static_cast<char>(hex_digit(rest[1]) * 16 + hex_digit(rest[2]));
  }
  return fail("this string has an unknown escape");
}

Result<DType> read_dtype(Scanner& scan) {
  TARN_TRY(const std::string_view name, scan.word("a type"));
  const std::optional<DType> dtype = dtype_named(name);
  if (!dtype) return scan.fail(fmt::format("'{}' is no type", name));
  return *dtype;
}

Result<Type> read_type(Scanner& scan) {
  Type result;
  result.per_sample = scan.accept_keyword("each");
  TARN_TRY(result.dtype, read_dtype(scan));
  const Scanner at_shape = scan;
  TARN_RETURN_IF_ERROR(scan.expect('['));
  while (!scan.accept(']')) {
    if (!result.shape.empty()) TARN_RETURN_IF_ERROR(scan.expect(','));
    std::int64_t extent = kBatch;
    if (!scan.accept_keyword("N")) {
      TARN_TRY(extent, scan.number<std::int64_t>("an extent"));
      if (extent < 0) return scan.fail("an extent cannot be negative");
    }
    result.shape.push_back(extent);
    if (const Status valid = check_type(result); !valid) return at_shape.fail(valid.error().front().message);
  }
  return result;
}

Result<ResultKind> read_result_kind(Scanner& scan) {
  TARN_TRY(const std::string_view name, scan.word("the kind of a result"));
  for (const ResultKind kind : {ResultKind::output, ResultKind::loss, ResultKind::store, ResultKind::value}) {
    if (name_of(kind) == name) return kind;
  }
  return scan.fail(fmt::format("'{}' is no kind of result", name));
}

// Innermost first; the callers behind it are made before their callees.
Result<LocationId> LocationReader::read(Scanner& scan, Locations& locations) {
  std::vector<Location> chain;
  while (scan.accept('@')) {
    Location place;
    TARN_TRY(place.span, span(scan));
    if (scan.accept_keyword("in")) {
      TARN_TRY(place.context, scan.string("a string"));
    }
    chain.push_back(std::move(place));
  }
  LocationId id = 0;
  for (; !chain.empty(); chain.pop_back()) {
    chain.back().caller = id;
    id = locations.add(std::move(chain.back()));
  }
  return id;
}

Result<Span> LocationReader::span(Scanner& scan) {
  Span result;
  if (scan.accept('-')) return result;
  TARN_TRY(const std::string name, scan.string("the name of a file"));
  TARN_TRY(result.file, file(scan, name));
  TARN_RETURN_IF_ERROR(scan.expect(':'));
  TARN_TRY(result.line, scan.number<std::uint32_t>("a line"));
  TARN_RETURN_IF_ERROR(scan.expect(':'));
  TARN_TRY(result.column, scan.number<std::uint32_t>("a column"));
  if (!scan.accept('+')) return result;
  TARN_TRY(result.length, scan.number<std::uint32_t>("a length"));
  return result;
}

Result<FileId> LocationReader::file(Scanner& scan, const std::string& name) {
  if (const auto known = files_.find(name); known != files_.end()) return known->second;
  // Looking up a file takes time in proportion to their number.
  constexpr std::size_t kMaxFiles = 4096;
  if (files_.size() >= kMaxFiles) return scan.fail(fmt::format("more than {} files are named", kMaxFiles));
  const std::optional<FileId> found = sources_.find(name);
  const FileId id = found ? *found : sources_.add(name, "");
  files_.emplace(name, id);
  return id;
}

}  // namespace tarn
