// Statements of the parser. A word such as `param` or `loss` begins a statement of its own only where it stands first
// and what follows fits; everywhere else it is a name.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "frontend/syntax/parser_implementation.h"

namespace tarn {

namespace {

// What must follow a word so that it begins its statement.
enum class Follow : std::uint8_t {
  name,
  name_or_string,
  name_or_brace,
  brace,
  operand,  // whatever can begin an expression
};

// Whether a token of this kind can begin an expression.
bool begins_operand(TokenKind kind) {
  switch (kind) {
    case TokenKind::name:
    case TokenKind::number:
    case TokenKind::string:
    case TokenKind::string_start:
    case TokenKind::keyword_if:
    case TokenKind::keyword_not:
    case TokenKind::keyword_true:
    case TokenKind::keyword_false:
    case TokenKind::keyword_none:
    case TokenKind::left_parenthesis:
    case TokenKind::left_bracket:
    case TokenKind::minus:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct Parser::Word {
  std::string_view word;
  int places;  // a sum of Place
  Follow follow;
  Node (Parser::*parse)();
};

const Parser::Word* Parser::find_word(std::string_view word, Place place) {
  constexpr int kFile = static_cast<int>(Place::file);
  constexpr int kBody = static_cast<int>(Place::body);
  constexpr int kTrain = static_cast<int>(Place::train);
  constexpr int kData = static_cast<int>(Place::data);
  static constexpr std::array kWords = {
      Word{"import", kFile, Follow::name_or_string, &Parser::parse_import},
      Word{"const", kFile + kBody + kTrain + kData, Follow::name, &Parser::parse_const},
      Word{"fn", kFile + kBody + kTrain + kData, Follow::name, &Parser::parse_function},
      Word{"layer", kFile + kBody, Follow::name, &Parser::parse_function},
      Word{"optimizer", kFile + kBody, Follow::name, &Parser::parse_function},
      Word{"metric", kFile + kBody, Follow::name, &Parser::parse_function},
      Word{"model", kFile, Follow::name_or_brace, &Parser::parse_model},
      Word{"train", kFile, Follow::brace, &Parser::parse_train},
      Word{"data", kFile, Follow::name_or_brace, &Parser::parse_data},
      Word{"input", kBody, Follow::name, &Parser::parse_variable},
      Word{"output", kBody, Follow::name, &Parser::parse_output},
      Word{"param", kBody, Follow::name, &Parser::parse_variable},
      Word{"state", kBody, Follow::name, &Parser::parse_variable},
      Word{"slot", kBody, Follow::name, &Parser::parse_variable},
      Word{"repeat", kBody + kTrain, Follow::operand, &Parser::parse_repeat},
      Word{"check", kBody + kTrain + kFile, Follow::operand, &Parser::parse_check},
      Word{"penalty", kBody, Follow::operand, &Parser::parse_penalty},
      Word{"adapt", kBody, Follow::brace, &Parser::parse_adapt},
      Word{"target", kTrain, Follow::name, &Parser::parse_variable},
      Word{"loss", kTrain, Follow::operand, &Parser::parse_term},
      Word{"metric", kTrain, Follow::operand, &Parser::parse_term},
      Word{"optimizer", kTrain, Follow::operand, &Parser::parse_term},
  };
  const Word* elsewhere = nullptr;
  for (const Word& row : kWords) {
    if (row.word != word) continue;
    if ((row.places & static_cast<int>(place)) != 0) return &row;
    elsewhere = &row;
  }
  return elsewhere;
}

bool Parser::follows(const Word& word) const {
  const TokenKind next = peek(1).kind;
  switch (word.follow) {
    case Follow::name:
      return next == TokenKind::name;
    case Follow::name_or_string:
      return next == TokenKind::name || next == TokenKind::string || next == TokenKind::string_start;
    case Follow::name_or_brace:
      return next == TokenKind::name || next == TokenKind::left_brace;
    case Follow::brace:
      return next == TokenKind::left_brace;
    case Follow::operand:
      return begins_operand(next);
  }
  return false;
}

// Where what stands behind a word fits neither its statement nor a name: says what the statement needs.
void Parser::expect_not_abandoned(const Word& word) {
  if ((word.places & static_cast<int>(place_)) == 0) return;
  switch (peek(1).kind) {
    case TokenKind::number:
    case TokenKind::string:
    case TokenKind::string_start:
    case TokenKind::keyword_if:
    case TokenKind::keyword_not:
    case TokenKind::keyword_true:
    case TokenKind::keyword_false:
    case TokenKind::keyword_none:
      break;
    default:
      if (!at_statement_end(1)) return;
  }
  take();
  switch (word.follow) {
    case Follow::name:
    case Follow::name_or_brace:
      fail("a name");
    case Follow::name_or_string:
      fail("a file in \"\" or the name of a module");
    case Follow::brace:
      fail("'{'");
    case Follow::operand:
      fail("an expression");
  }
}

void Parser::parse_statements(std::vector<ast::Statement>& statements, std::optional<TokenKind> closer) {
  while (true) {
    while (is(TokenKind::line_end) || is(TokenKind::semicolon)) take();
    if (is(TokenKind::file_end) || (closer && is(*closer))) return;
    const std::size_t start = at_;
    try {
      if (is(TokenKind::right_brace)) {
        take();
        fail_at(tokens_[start].span(file_), "this '}' closes nothing");
      }
      statements.push_back(parse_statement());
      expect_statement_end();
    } catch (const SyntaxError&) {
      recover(start);
    }
  }
}

ast::Block Parser::parse_block(Place place) {
  const Nesting nesting(*this);
  const std::size_t open = at_;
  expect(TokenKind::left_brace);
  const Place outer = std::exchange(place_, place);
  ast::Block block;
  parse_statements(block.statements, TokenKind::right_brace);
  place_ = outer;
  expect_closing(open);
  return block;
}

void Parser::expect_statement_end() {
  if (at_statement_end()) return;
  if (is(TokenKind::assign)) fail_at(peek().span(file_), "unexpected '='; equality is written '=='");
  fail("the end of the statement");
}

ast::Statement Parser::parse_statement() {
  const std::size_t start = at_;
  Node (Parser::*parse)() = nullptr;
  switch (peek().kind) {
    case TokenKind::keyword_if:
      parse = &Parser::parse_if;
      break;
    case TokenKind::keyword_for:
      parse = &Parser::parse_for;
      break;
    case TokenKind::keyword_return:
      parse = &Parser::parse_return;
      break;
    case TokenKind::name: {
      const Word* word = find_word(text(peek()), place_);
      if (word == nullptr) break;
      if (!follows(*word)) {
        expect_not_abandoned(*word);
        break;
      }
      if ((word->places & static_cast<int>(place_)) == 0) {
        const std::string_view home = word->places == static_cast<int>(Place::file) ? "at the top level of a file"
                                      : word->places == static_cast<int>(Place::train)
                                          ? "in a 'train' block"
                                          : "in a model, function or layer";
        const bool at_margin = peek().column == 1 && word->places == static_cast<int>(Place::file);
        fail_at(peek().span(file_), fmt::format("'{}' does not belong here: it stands {}{}", word->word, home,
                                                at_margin ? "; is a '}' missing above?" : ""));
      }
      parse = word->parse;
      break;
    }
    default:
      break;
  }
  if (parse == nullptr) return parse_other_statement();
  ast::Statement statement;
  statement.node = (this->*parse)();
  statement.span = span_from(start);
  return statement;
}

ast::Statement Parser::parse_other_statement() {
  const std::size_t start = at_;
  ast::Statement statement;
  const bool is_name = is(TokenKind::name);
  if (place_ == Place::file) {
    if (is_name && is(TokenKind::assign, 1)) {
      fail_at(peek().span(file_),
              fmt::format("a value at the top level of a file is a constant: const {} = …", text(peek())));
    }
    fail("a declaration ('model', 'train', 'data', 'fn', 'layer', …)");
  }
  if (is_name && (is(TokenKind::assign, 1) || is(TokenKind::comma, 1))) {
    statement.node = parse_assignment();
  } else if (is_name && is(TokenKind::left_arrow, 1)) {
    statement.node = parse_update();
  } else if (is_name && at_setting()) {
    statement.node = parse_setting();
  } else {
    if (!begins_operand(peek().kind)) fail("a statement");
    ast::Evaluate evaluate{parse_expression()};
    check_does_something(*evaluate.value, start);
    statement.node = std::move(evaluate);
  }
  statement.span = span_from(start);
  return statement;
}

// After an expression in the place of a statement: says what is wrong with it, if it is not an application.
void Parser::check_does_something(const ast::Expression& expression, std::size_t start) {
  if (is(TokenKind::assign) || is(TokenKind::left_arrow)) {
    fail_at(expression.span, fmt::format("only a name can stand on the left of '{}'", text(peek())));
  }
  const auto* name = std::get_if<ast::Name>(&expression.node);
  if (name != nullptr && at_ == start + 1 && begins_operand(peek().kind)) {
    const auto nearest = nearest_name(name->name, {"const", "fn", "layer", "input", "output", "param", "state", "slot",
                                                   "repeat", "check", "penalty", "adapt", "return", "for", "if"});
    if (!nearest && is(TokenKind::name) && is(TokenKind::assign, 1)) {
      fail_at(expression.span,
              fmt::format("'{}' begins no statement; a value gets a name by '{} = …' alone", name->name, text(peek())));
    }
    fail_at(expression.span, fmt::format("'{}' begins no statement{}", name->name,
                                         nearest ? fmt::format("; did you mean '{}'?", *nearest) : std::string()));
  }
  if (!std::holds_alternative<ast::Call>(expression.node) && !std::holds_alternative<ast::Pipe>(expression.node)) {
    if (!at_statement_end()) fail("the end of the statement");
    fail_at(expression.span, "this expression does nothing: give its value a name, or remove it");
  }
}

// In train and data every name begins a setting unless what follows it makes it something else.
bool Parser::at_setting() const {
  if (place_ != Place::train && place_ != Place::data) return false;
  const std::size_t behind = std::min(matching(1) + 1, tokens_.size() - 1) - at_;
  if (is(TokenKind::left_bracket, 1)) return !is(TokenKind::assign, behind) && !is(TokenKind::left_arrow, behind);
  return is(TokenKind::left_brace, 1) || is(TokenKind::keyword_for, 1) || at_statement_end(1) ||
         begins_operand(peek(1).kind);
}

Parser::Node Parser::parse_assignment() {
  ast::Assignment assignment;
  assignment.targets = parse_identifiers();
  expect(TokenKind::assign);
  assignment.value = parse_expression();
  return assignment;
}

Parser::Node Parser::parse_update() {
  ast::Update update;
  update.target = expect_identifier();
  expect(TokenKind::left_arrow);
  update.value = parse_expression();
  return update;
}

Parser::Node Parser::parse_return() {
  take();
  ast::Return statement;
  do {
    statement.values.push_back(parse_expression());
  } while (take_if(TokenKind::comma));
  return statement;
}

Parser::Node Parser::parse_if() {
  ast::If statement;
  const Place place = place_;
  do {
    take();
    ast::If::Branch branch;
    branch.condition = parse_expression();
    if (is(TokenKind::keyword_then)) fail_at(peek().span(file_), "as a statement, 'if' takes a block: if c { … }");
    branch.block = parse_block(place);
    statement.branches.push_back(std::move(branch));
    if (!take_if(TokenKind::keyword_else)) return statement;
  } while (is(TokenKind::keyword_if));
  statement.otherwise = parse_block(place);
  return statement;
}

Parser::Node Parser::parse_for() {
  take();
  ast::For loop;
  loop.names = parse_identifiers();
  expect(TokenKind::keyword_in);
  loop.list = parse_expression();
  loop.block = parse_block(place_);
  return loop;
}

Parser::Node Parser::parse_repeat() {
  take();
  ast::Repeat loop;
  loop.count = parse_expression();
  loop.block = parse_block(place_);
  return loop;
}

Parser::Node Parser::parse_check() {
  take();
  ast::Check check;
  check.condition = parse_expression();
  if (take_if(TokenKind::comma)) {
    if (!is(TokenKind::string) && !is(TokenKind::string_start)) fail("a message in \"\"");
    check.message = parse_string();
  }
  return check;
}

Parser::Node Parser::parse_penalty() {
  take();
  return ast::Penalty{parse_expression()};
}

Parser::Node Parser::parse_adapt() {
  take();
  return ast::Adapt{parse_block(Place::body)};
}

Parser::Node Parser::parse_term() {
  const std::string_view word = text(take());
  ast::Term term;
  term.kind = word == "loss"     ? ast::TermKind::loss
              : word == "metric" ? ast::TermKind::metric
                                 : ast::TermKind::optimizer;
  if (term.kind != ast::TermKind::optimizer && is(TokenKind::name) && is(TokenKind::assign, 1)) {
    term.name = expect_identifier();
    take();
  }
  term.value = parse_expression();
  term.paths = parse_paths_if_any();
  return term;
}

Parser::Node Parser::parse_setting() {
  ast::Setting setting;
  setting.key = expect_identifier();
  const bool in_parentheses = is(TokenKind::left_parenthesis) && (at_statement_end(matching() + 1 - at_) ||
                                                                  is(TokenKind::keyword_for, matching() + 1 - at_));
  if (in_parentheses) {
    setting.arguments = parse_arguments(true);
  } else if (!at_statement_end() && !is(TokenKind::keyword_for)) {
    do {
      setting.arguments.push_back(parse_argument(setting.arguments, true));
    } while (take_if(TokenKind::comma));
  }
  setting.paths = parse_paths_if_any();
  return setting;
}

std::vector<ast::Path> Parser::parse_paths_if_any() {
  std::vector<ast::Path> paths;
  if (!take_if(TokenKind::keyword_for)) return paths;
  do {
    const std::size_t first = at_;
    ast::Path path;
    do {
      path.parts.push_back(expect_identifier());
    } while (take_if(TokenKind::dot));
    path.span = span_from(first);
    paths.push_back(std::move(path));
  } while (take_if(TokenKind::comma));
  return paths;
}

}  // namespace tarn
