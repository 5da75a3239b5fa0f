// The hand-written lexer. See lexer.h.
#include "frontend/syntax/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "frontend/syntax/characters.h"

namespace tarn {

namespace {

constexpr std::size_t kMaxLexicalErrors = 100;
constexpr std::size_t kMaxInterpolationNesting = 20;

// What other languages write: the message says what Tarn writes, and the kind is what was meant.
struct ForeignOperator {
  std::string_view text;
  TokenKind meant;
  std::string_view advice;
};

constexpr std::array kForeignOperators = {
    ForeignOperator{"**", TokenKind::caret, "write '^' for a power"},
    ForeignOperator{"&&", TokenKind::keyword_and, "write 'and'"},
    ForeignOperator{"||", TokenKind::keyword_or, "write 'or'"},
    ForeignOperator{"+=", TokenKind::assign, "write 'a = a + b'"},
    ForeignOperator{"-=", TokenKind::assign, "write 'a = a - b'"},
    ForeignOperator{"*=", TokenKind::assign, "write 'a = a * b'"},
    ForeignOperator{"/=", TokenKind::assign, "write 'a = a / b'"},
    ForeignOperator{"->", TokenKind::arrow, "write '=>' for a function, '<-' for the next value of a state"},
    ForeignOperator{"!", TokenKind::keyword_not, "write 'not'"},
};

// Words that begin declarations. One of them at the start of a line, followed by a name or a brace, cannot stand inside
// brackets: where it does, a bracket was left open.
constexpr std::array<std::string_view, 9> kDeclarations = {"fn",    "layer", "optimizer", "metric", "model",
                                                           "train", "data",  "const",     "import"};

bool continues_before(TokenKind kind) {
  switch (kind) {
    case TokenKind::comma:
    case TokenKind::assign:
    case TokenKind::arrow:
    case TokenKind::left_arrow:
    case TokenKind::keyword_then:
    case TokenKind::keyword_else:
    case TokenKind::keyword_not:
      return true;
    default:
      return is_binary_operator(kind);
  }
}

bool continues_after(TokenKind kind) {
  return kind == TokenKind::keyword_then || kind == TokenKind::keyword_else || is_binary_operator(kind);
}

class Lexer {
 public:
  Lexer(FileId file, std::string_view text, const SourcePart& part)
      : file_(file), text_(text.substr(0, part.end)), at_(part.begin), line_(part.line) {}

  Lexed run() {
    if (text_.size() > kMaxSourceBytes) {
      out_.diagnostics.push_back(error_at(
          {file_, 1, 1, 1}, fmt::format("the file has {} bytes; at most {} are read", text_.size(), kMaxSourceBytes)));
      text_ = {};
    }
    if (at_ == 0 && text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (at_ < text_.size() && !stopped_) next();
    if (!interpolations_.empty()) unterminated_string();
    end_file();
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  // The end of the file stands behind the last token, where something is missing, not on the empty line behind it.
  void end_file() {
    Token end{TokenKind::file_end, 1, 1, 1, static_cast<std::uint32_t>(text_.size()), 0};
    if (!out_.tokens.empty()) {
      const Token& last = out_.tokens.back();
      end.line = last.line;
      end.column = last.column + last.length;
    }
    out_.tokens.push_back(end);
  }

  // Steps over one code point of the line.
  void step() {
    const std::size_t size = code_point_size(text_.substr(at_));
    if (size == 0) {
      report({file_, line_, column_, 1},
             fmt::format("the byte 0x{:02X} is not UTF-8", static_cast<unsigned char>(text_[at_])));
    }
    at_ += std::max<std::size_t>(size, 1);
    ++column_;
  }

  void report(Span span, std::string message, std::vector<Note> notes = {}) {
    if (out_.diagnostics.size() >= kMaxLexicalErrors) return;
    out_.diagnostics.push_back(error_at(span, std::move(message), std::move(notes)));
  }

  void begin_token() {
    start_ = at_;
    start_column_ = column_;
  }

  Token make(TokenKind kind) const {
    return {kind,
            line_,
            start_column_,
            column_ - start_column_,
            static_cast<std::uint32_t>(start_),
            static_cast<std::uint32_t>(at_ - start_)};
  }

  void push(TokenKind kind) {
    const Token token = make(kind);
    if (out_.tokens.size() >= kMaxTokens) {
      report(token.span(file_), fmt::format("the file has more than {} tokens", kMaxTokens));
      stopped_ = true;
      return;
    }
    close_abandoned_brackets(token);
    end_statement_before(token);
    out_.tokens.push_back(token);
    if (opens(kind)) {
      open_.push_back(kind);
    } else if (closes(kind)) {
      close(kind);
    }
  }

  bool line_ends_count() const { return open_.empty() || open_.back() == TokenKind::left_brace; }

  // Adds the line end that stands between the last token and this one, if it ends a statement.
  void end_statement_before(const Token& token) {
    const bool pending = std::exchange(line_end_pending_, false);
    if (!pending || out_.tokens.empty() || !line_ends_count()) return;
    const Token& last = out_.tokens.back();
    if (last.kind == TokenKind::line_end || continues_before(last.kind) || continues_after(token.kind)) return;
    out_.tokens.push_back({TokenKind::line_end, last.line, last.column + last.length, 1, last.offset + last.size, 0});
  }

  // Where a declaration starts at the margin inside ( or [, the bracket was left open by mistake: forgets it, so that
  // the mistake costs one statement and not the rest of the file. See kDeclarations.
  void close_abandoned_brackets(const Token& token) {
    if (line_ends_count() || out_.tokens.empty()) return;
    const Token& last = out_.tokens.back();
    if (last.kind != TokenKind::name || last.column != 1 || last.line != token.line) return;
    if (token.kind != TokenKind::name && token.kind != TokenKind::left_brace) return;
    if (std::ranges::find(kDeclarations, last.text(text_)) == kDeclarations.end()) return;
    while (!line_ends_count()) open_.pop_back();
    const Token word = last;
    out_.tokens.pop_back();
    line_end_pending_ = true;
    end_statement_before(word);
    out_.tokens.push_back(word);
  }

  // Forgets the innermost open bracket of this kind and what was left open inside it; a } also closes ( and [ that were
  // left open, other closers never close a {.
  void close(TokenKind kind) {
    for (std::size_t i = open_.size(); i-- > 0;) {
      if (closing(open_[i]) == kind) {
        open_.resize(i);
        return;
      }
      if (open_[i] == TokenKind::left_brace) return;
    }
  }

  void next() {
    const char c = peek();
    if (c == '\n') {
      line_end();
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
      ++column_;
    } else if (c == '#' && interpolations_.empty()) {
      comment();
    } else if (is_letter(c)) {
      word();
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (c == '"') {
      string();
    } else if (c == '}' && ends_interpolation()) {
      open_.resize(interpolations_.back().depth - 1);
      interpolations_.pop_back();
      begin_token();
      step();
      string_part(TokenKind::string_end, TokenKind::string_middle);
    } else {
      punctuation();
    }
  }

  void line_end() {
    if (!interpolations_.empty()) unterminated_string();
    ++at_;
    ++line_;
    column_ = 1;
    line_end_pending_ = true;
  }

  void comment() {
    begin_token();
    std::size_t end = std::min(text_.find('\n', at_), text_.size());
    Token token = make(TokenKind::comment);
    while (at_ < end) {
      const bool blank = peek() == ' ' || peek() == '\t' || peek() == '\r';
      step();
      if (!blank) token = make(TokenKind::comment);
    }
    out_.comments.push_back(token);
  }

  void word() {
    begin_token();
    while (is_word(peek())) step();
    const std::string_view text = text_.substr(start_, at_ - start_);
    push(keyword_named(text).value_or(TokenKind::name));
  }

  // digits, single underscores between them
  bool digits() {
    bool good = is_digit(peek());
    while (is_digit(peek()) || peek() == '_') {
      if (peek() == '_' && !is_digit(peek(1))) good = false;
      step();
    }
    return good;
  }

  void number() {
    begin_token();
    bool good = digits();
    if (peek() == '.' && is_digit(peek(1))) {
      step();
      good = digits() && good;
    }
    if (peek() == 'e' || peek() == 'E') {
      step();
      if (peek() == '+' || peek() == '-') step();
      good = digits() && good;
    }
    while (is_word(peek())) {
      good = false;
      step();
    }
    if (!good) {
      const std::string_view text = text_.substr(start_, at_ - start_);
      report(make(TokenKind::number).span(file_),
             fmt::format("'{}' is not a number{}", text, text[0] == '.' ? ": write a digit before the point" : ""));
    }
    push(TokenKind::number);
  }

  void string() {
    begin_token();
    step();
    string_part(TokenKind::string, TokenKind::string_start);
  }

  // The rest of a string up to its end (`ended`) or to a { that opens an interpolation (`interrupted`).
  void string_part(TokenKind ended, TokenKind interrupted) {
    while (true) {
      const char c = peek();
      if (at_ >= text_.size() || c == '\n') {
        const Token token = make(ended);
        report(token.span(file_), "the string has no closing '\"' on this line");
        push(ended);
        return;
      }
      if (c == '"') {
        step();
        push(ended);
        return;
      }
      if (c == '{' && peek(1) != '{') {
        step();
        push_interpolation(interrupted);
        return;
      }
      if (c == '}' && peek(1) != '}') {
        report({file_, line_, column_, 1}, "a '}' alone in a string: write '}}' for the character");
        step();
      } else if (c == '{' || c == '}') {
        step();
        step();
      } else if (c == '\\') {
        escape();
      } else {
        step();
      }
    }
  }

  // Whether a } here ends the interpolation: ( and [ that were left open in it do not hinder that, a { does.
  bool ends_interpolation() const {
    if (interpolations_.empty()) return false;
    const auto inside = open_.begin() + static_cast<std::ptrdiff_t>(interpolations_.back().depth);
    return std::find(inside, open_.end(), TokenKind::left_brace) == open_.end();
  }

  void push_interpolation(TokenKind kind) {
    if (interpolations_.size() >= kMaxInterpolationNesting) {
      report(make(kind).span(file_), fmt::format("strings are nested more than {} deep", kMaxInterpolationNesting));
      stopped_ = true;
      return;
    }
    push(kind);
    open_.push_back(TokenKind::left_brace);
    interpolations_.push_back({out_.tokens.back().span(file_), open_.size()});
  }

  // The line ended inside an interpolation.
  void unterminated_string() {
    report(interpolations_.front().span, "the string has no closing '\"' on this line");
    begin_token();
    while (!interpolations_.empty()) {
      open_.resize(interpolations_.back().depth - 1);
      interpolations_.pop_back();
      push(TokenKind::string_end);
    }
  }

  void escape() {
    const std::uint32_t column = column_;
    step();
    const char c = peek();
    if (c == '\n' || at_ >= text_.size()) return;
    const std::size_t start = at_;
    step();
    if (c != 'n' && c != 't' && c != '"' && c != '\\') {
      report({file_, line_, column, 2}, fmt::format("'\\{}' is not an escape: there are \\n, \\t, \\\" and \\\\",
                                                    printable(text_.substr(start, at_ - start))));
    }
  }

  void punctuation() {
    begin_token();
    const std::string_view rest = text_.substr(at_);
    const auto starts = [&](const auto& row) { return rest.starts_with(row.text); };
    // != is ours, ! is not.
    if (!rest.starts_with("!=")) {
      if (const auto foreign = std::ranges::find_if(kForeignOperators, starts); foreign != kForeignOperators.end()) {
        advance(foreign->text.size());
        report(make(foreign->meant).span(file_),
               fmt::format("'{}' is not an operator: {}", foreign->text, foreign->advice));
        push(foreign->meant);
        return;
      }
    }
    if (const std::optional<TokenKind> own = sign_at(rest)) {
      advance(spelling(*own).size());
      push(*own);
      return;
    }
    unexpected_character();
  }

  void unexpected_character() {
    const std::size_t errors = out_.diagnostics.size();
    step();
    if (out_.diagnostics.size() != errors) return;  // not UTF-8: said already
    const std::string_view character = text_.substr(start_, at_ - start_);
    std::string_view advice;
    if (character == "\u2212" || character == "\u2013") advice = ": write '-' for minus";
    if (character == "\u201C" || character == "\u201D" || character == "'") advice = ": write strings in \"\"";
    if (character == "\u00D7" || character == "\u00B7") advice = ": write '*' for a product";
    report({file_, line_, start_column_, 1}, fmt::format("unexpected character '{}'{}", printable(character), advice));
  }

  // Over `bytes` characters of ASCII.
  void advance(std::size_t bytes) {
    at_ += bytes;
    column_ += static_cast<std::uint32_t>(bytes);
  }

  struct Interpolation {
    Span span;          // the string's part before it
    std::size_t depth;  // of open_ inside it
  };

  FileId file_;
  std::string_view text_;
  std::size_t at_;
  std::uint32_t line_;
  Lexed out_;
  std::uint32_t column_ = 1;
  std::size_t start_ = 0;
  std::uint32_t start_column_ = 1;
  bool line_end_pending_ = false;
  bool stopped_ = false;
  std::vector<TokenKind> open_;
  std::vector<Interpolation> interpolations_;
};

}  // namespace

Lexed lex(FileId file, const Sources& sources, const SourcePart& part) {
  return Lexer(file, sources.text(file), part).run();
}

std::string decode_string_part(std::string_view part) {
  std::string text;
  if (!part.empty()) part.remove_prefix(1);  // " or }
  if (!part.empty() && (part.back() == '"' || part.back() == '{')) part.remove_suffix(1);
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool pair = i + 1 < part.size();
    if (part[i] == '\\' && pair) {
      const char c = part[++i];
      text += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    } else {
      if (pair && (part[i] == '{' || part[i] == '}') && part[i + 1] == part[i]) ++i;
      text += part[i];
    }
  }
  return text;
}

}  // namespace tarn
