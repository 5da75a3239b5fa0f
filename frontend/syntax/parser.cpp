// Tokens, errors and recovery of the parser. See parser.h and parser_implementation.h.
#include "frontend/syntax/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "frontend/syntax/parser_implementation.h"

namespace tarn {

namespace {

constexpr std::size_t kMaxQuotedBytes = 40;

// As the lexer pairs them: a } also closes ( and [ that were left open, other closers never close a {.
std::vector<std::uint32_t> pair_brackets(const std::vector<Token>& tokens) {
  std::vector<std::uint32_t> matching(tokens.size(), static_cast<std::uint32_t>(tokens.size() - 1));
  std::vector<std::uint32_t> open;
  for (std::uint32_t i = 0; i < tokens.size(); ++i) {
    if (opens(tokens[i].kind)) open.push_back(i);
    if (!closes(tokens[i].kind)) continue;
    for (std::size_t k = open.size(); k-- > 0;) {
      const TokenKind opening = tokens[open[k]].kind;
      if (closing(opening) == tokens[i].kind) {
        matching[open[k]] = i;
        open.resize(k);
        break;
      }
      if (opening == TokenKind::left_brace) break;
    }
  }
  return matching;
}

std::vector<std::uint32_t> find_last_on_line(const std::vector<Token>& tokens) {
  std::vector<std::uint32_t> last(tokens.size());
  for (std::size_t i = tokens.size(); i-- > 0;) {
    const bool ends_line = i + 1 == tokens.size() || tokens[i + 1].line != tokens[i].line ||
                           tokens[i + 1].kind == TokenKind::line_end || tokens[i + 1].kind == TokenKind::file_end;
    last[i] = ends_line ? static_cast<std::uint32_t>(i) : last[i + 1];
  }
  return last;
}

}  // namespace

Parser::Parser(FileId file, const Sources& sources, const SourcePart& part) : file_(file), source_(sources.text(file)) {
  Lexed lexed = lex(file, sources, part);
  tokens_ = std::move(lexed.tokens);
  lexical_ = std::move(lexed.diagnostics);
  matching_ = pair_brackets(tokens_);
  last_on_line_ = find_last_on_line(tokens_);
}

ParseResult Parser::parse_file() {
  auto tree = std::make_unique<ast::File>();
  tree->id = file_;
  parse_statements(tree->statements, std::nullopt);
  return {std::move(tree), merged_diagnostics()};
}

Result<ast::ExpressionPtr> Parser::parse_only_expression() {
  ast::ExpressionPtr expression;
  try {
    expression = parse_expression();
    while (is(TokenKind::line_end)) take();
    if (!is(TokenKind::file_end)) fail("the end of the expression");
  } catch (const SyntaxError&) {
    expression = nullptr;
  }
  Diagnostics diagnostics = merged_diagnostics();
  if (!diagnostics.empty()) return diagnostics;
  return expression;
}

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
  if (parser_.nesting_ >= ast::kMaxNesting) {
    parser_.stop(parser_.peek().span(parser_.file_), fmt::format("nested more than {} deep", ast::kMaxNesting));
  }
  ++parser_.nesting_;
}

const Token& Parser::peek(std::size_t ahead) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }

bool Parser::is_word(std::string_view word, std::size_t ahead) const {
  return is(TokenKind::name, ahead) && text(peek(ahead)) == word;
}

const Token& Parser::take() {
  const Token& token = peek();
  if (token.kind != TokenKind::file_end) ++at_;
  return token;
}

bool Parser::take_if(TokenKind kind) {
  if (!is(kind)) return false;
  take();
  return true;
}

const Token& Parser::expect(TokenKind kind, std::string_view where) {
  if (!is(kind)) fail(fmt::format("'{}'{}", spelling(kind), where));
  return take();
}

void Parser::expect_closing(std::size_t open, std::string_view instead) {
  const TokenKind kind = closing(tokens_[open].kind);
  if (take_if(kind)) return;
  std::vector<Note> notes;
  if (tokens_[open].line != peek().line) {
    notes.push_back({tokens_[open].span(file_), fmt::format("the '{}' that is open", spelling(tokens_[open].kind))});
  }
  fail(fmt::format("{}'{}'", instead, spelling(kind)), std::move(notes));
}

ast::Identifier Parser::expect_identifier(std::string_view what) {
  if (!is(TokenKind::name)) fail(what);
  const Token& token = take();
  return {std::string(text(token)), token.span(file_)};
}

bool Parser::at_statement_end(std::size_t ahead) const {
  const TokenKind kind = peek(ahead).kind;
  return kind == TokenKind::line_end || kind == TokenKind::semicolon || kind == TokenKind::right_brace ||
         kind == TokenKind::file_end;
}

Span Parser::span_from(std::size_t first) const {
  const std::size_t last = std::max(first, std::min<std::size_t>(at_ == 0 ? 0 : at_ - 1, last_on_line_[first]));
  return {file_, tokens_[first].line, tokens_[first].column,
          tokens_[last].column + tokens_[last].length - tokens_[first].column};
}

bool Parser::has_lexical_error(std::uint32_t line) const {
  return std::ranges::any_of(lexical_, [&](const Diagnostic& d) { return d.span.line == line; });
}

void Parser::report(Span span, std::string message, std::vector<Note> notes) {
  if (stopped_) return;
  // What the lexer complained about is the likely cause of any trouble there.
  if (has_lexical_error(span.line)) return;
  syntactic_.push_back(error_at(span, std::move(message), std::move(notes)));
  // One more than are shown, so that it is known that there are more.
  if (syntactic_.size() > kMaxSyntaxErrors) {
    stopped_ = true;
    at_ = tokens_.size() - 1;
  }
}

void Parser::fail(std::string_view expected, std::vector<Note> notes) {
  if (at_ > 0 && has_lexical_error(tokens_[at_ - 1].line)) throw SyntaxError();
  std::string message = fmt::format("expected {}, found {}", expected, found());
  if (is(TokenKind::left_arrow)) message += "; a comparison with a negative value is written 'a < -b'";
  report(peek().span(file_), std::move(message), std::move(notes));
  throw SyntaxError();
}

void Parser::fail_at(Span span, std::string message) {
  report(span, std::move(message));
  throw SyntaxError();
}

void Parser::stop(Span span, std::string message) {
  report(span, std::move(message));
  stopped_ = true;
  at_ = tokens_.size() - 1;
  throw SyntaxError();
}

std::string Parser::found() const {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::line_end:
    case TokenKind::file_end:
      return std::string(spelling(token.kind));
    case TokenKind::name:
    case TokenKind::number:
    case TokenKind::string:
    case TokenKind::string_start: {
      std::string_view quoted = text(token);
      if (quoted.size() <= kMaxQuotedBytes) return fmt::format("'{}'", quoted);
      std::size_t end = kMaxQuotedBytes;
      while ((static_cast<unsigned char>(quoted[end]) & 0xC0U) == 0x80U) --end;
      return fmt::format("'{}…'", quoted.substr(0, end));
    }
    default:
      return fmt::format("'{}'", spelling(token.kind));
  }
}

void Parser::recover(std::size_t start) {
  // Braces that the statement itself opened before the error must be closed again before its end can come.
  int braces = 0;
  for (std::size_t i = start; i < at_; ++i) {
    if (tokens_[i].kind == TokenKind::left_brace) ++braces;
    if (tokens_[i].kind == TokenKind::right_brace) --braces;
  }
  for (;; take()) {
    if (is(TokenKind::file_end)) return;
    // A brace on a line of its own belongs to what stands before it: no statement begins with one.
    const bool brace_follows = is(TokenKind::line_end) && is(TokenKind::left_brace, 1);
    if (braces <= 0 && at_statement_end() && !brace_follows) return;
    if (is(TokenKind::left_brace)) ++braces;
    if (is(TokenKind::right_brace)) --braces;
  }
}

Diagnostics Parser::merged_diagnostics() {
  Diagnostics all = std::move(lexical_);
  all.insert(all.end(), std::make_move_iterator(syntactic_.begin()), std::make_move_iterator(syntactic_.end()));
  std::ranges::sort(all, {}, [](const Diagnostic& d) { return std::tie(d.span.line, d.span.column, d.message); });
  if (all.size() > kMaxSyntaxErrors) {
    all.resize(kMaxSyntaxErrors);
    all.push_back({Severity::note, {}, fmt::format("only the first {} errors are shown", kMaxSyntaxErrors), {}, {}});
  }
  return all;
}

ParseResult parse(FileId file, const Sources& sources, const SourcePart& part) {
  return Parser(file, sources, part).parse_file();
}

Result<ast::ExpressionPtr> parse_expression(FileId file, const Sources& sources) {
  return Parser(file, sources).parse_only_expression();
}

}  // namespace tarn
