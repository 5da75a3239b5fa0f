// The recursive-descent parser behind parser.h, shared by its sources: parser.cpp (tokens, errors, recovery),
// parse_expression.cpp, parse_statement.cpp and parse_declaration.cpp. Nothing else includes it.
//
// A syntax error is reported where it is noticed and leaves by a SyntaxError exception, which the innermost loop over
// statements catches; it never leaves parse() or parse_expression().
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/syntax/ast.h"
#include "frontend/syntax/lexer.h"
#include "frontend/syntax/parser.h"

namespace tarn {

class Parser {
 public:
  Parser(FileId file, const Sources& sources, const SourcePart& part = {});

  ParseResult parse_file();
  Result<ast::ExpressionPtr> parse_only_expression();

 private:
  struct SyntaxError {};

  // What encloses a statement: decides which words begin one.
  enum class Place : std::uint8_t { file = 1, body = 2, train = 4, data = 8 };

  // Counts one level of nesting while it lives.
  class Nesting {
   public:
    explicit Nesting(Parser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  // ---- tokens
  const Token& peek(std::size_t ahead = 0) const;
  bool is(TokenKind kind, std::size_t ahead = 0) const { return peek(ahead).kind == kind; }
  bool is_word(std::string_view word, std::size_t ahead = 0) const;
  std::string_view text(const Token& token) const { return token.text(source_); }
  // Steps over a token, never over the end of the file.
  const Token& take();
  bool take_if(TokenKind kind);
  const Token& expect(TokenKind kind, std::string_view where = {});
  // The closing bracket of the opening one at `open`.
  void expect_closing(std::size_t open, std::string_view instead = {});
  ast::Identifier expect_identifier(std::string_view what = "a name");
  bool at_statement_end(std::size_t ahead = 0) const;
  // The index of the bracket that closes the one `ahead` of here; the end of the file where none does.
  std::size_t matching(std::size_t ahead = 0) const { return matching_[at_ + ahead]; }
  // From token `first` to the last one taken, or to the end of the line of `first`.
  Span span_from(std::size_t first) const;

  // ---- errors
  bool has_lexical_error(std::uint32_t line) const;
  void report(Span span, std::string message, std::vector<Note> notes = {});
  // "expected …, found …" at the next token.
  [[noreturn]] void fail(std::string_view expected, std::vector<Note> notes = {});
  [[noreturn]] void fail_at(Span span, std::string message);
  // Reports what goes beyond a limit and gives up on the rest of the file.
  [[noreturn]] void stop(Span span, std::string message);
  std::string found() const;
  // Goes to the end of the statement that began at token `start`.
  void recover(std::size_t start);
  Diagnostics merged_diagnostics();

  // ---- expressions
  template <class Node>
  ast::ExpressionPtr make(std::size_t first, Node node) {
    auto expression = std::make_unique<ast::Expression>();
    expression->span = span_from(first);
    expression->depth = depth_from(first, expression->span);
    expression->node = std::move(node);
    return expression;
  }
  int depth_from(std::size_t first, Span span);
  ast::ExpressionPtr parse_expression();
  bool at_lambda() const;
  ast::ExpressionPtr parse_lambda();
  ast::ExpressionPtr parse_conditional();
  ast::ExpressionPtr parse_operators(int minimum_precedence);
  ast::ExpressionPtr parse_sign();
  ast::ExpressionPtr parse_power();
  ast::ExpressionPtr parse_postfix();
  ast::ExpressionPtr parse_primary();
  ast::ExpressionPtr parse_number();
  ast::ExpressionPtr parse_string();
  ast::ExpressionPtr parse_list();
  ast::ExpressionPtr parse_map();
  ast::ExpressionPtr parse_scan();
  ast::Index::Item parse_index_item();
  std::vector<ast::ExpressionPtr> parse_expressions_until(TokenKind closer);
  ast::Argument parse_argument(const std::vector<ast::Argument>& before, bool may_be_map);
  std::vector<ast::Argument> parse_arguments(bool may_be_map);
  std::vector<ast::Parameter> parse_parameters();
  std::vector<ast::Identifier> parse_identifiers();

  // ---- statements
  struct Word;
  static const Word* find_word(std::string_view word, Place place);
  void parse_statements(std::vector<ast::Statement>& statements, std::optional<TokenKind> closer);
  ast::Block parse_block(Place place);
  ast::Statement parse_statement();
  bool follows(const Word& word) const;
  void expect_not_abandoned(const Word& word);
  void expect_statement_end();
  ast::Statement parse_other_statement();
  bool at_setting() const;
  void check_does_something(const ast::Expression& expression, std::size_t start);

  using Node = decltype(ast::Statement::node);
  // Declarations.
  Node parse_import();
  Node parse_const();
  std::optional<ast::Direction> parse_direction();
  Node parse_function();
  Node parse_model();
  Node parse_train();
  Node parse_data();
  Node parse_variable();
  Node parse_output();
  // Other statements.
  Node parse_assignment();
  Node parse_update();
  Node parse_return();
  Node parse_if();
  Node parse_for();
  Node parse_repeat();
  Node parse_check();
  Node parse_penalty();
  Node parse_adapt();
  Node parse_term();
  Node parse_setting();
  std::vector<ast::Path> parse_paths_if_any();

  FileId file_;
  std::string_view source_;
  std::vector<Token> tokens_;
  Diagnostics lexical_;
  Diagnostics syntactic_;
  std::vector<std::uint32_t> matching_;
  std::vector<std::uint32_t> last_on_line_;  // for each token the last one on its line
  // The first token and the depth of the expressions that no other expression holds yet.
  std::vector<std::pair<std::uint32_t, int>> depths_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  bool stopped_ = false;
  Place place_ = Place::file;
};

}  // namespace tarn
