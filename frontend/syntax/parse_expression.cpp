// Expressions of the parser: precedence climbing between `or` and `*`, recursive descent around it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "frontend/syntax/parser_implementation.h"

namespace tarn {

using ast::BinaryOperator;
using ast::ExpressionPtr;

namespace {

// From loose to tight. What is looser (=>, |>, if) and tighter (sign, ^, call) has functions of its own.
enum Precedence { kOr = 1, kAnd, kNot, kComparison, kRange, kSum, kProduct };

struct OperatorRow {
  TokenKind token;
  BinaryOperator op;
  int precedence;
};

constexpr std::array kOperators = {
    OperatorRow{TokenKind::keyword_or, BinaryOperator::logical_or, kOr},
    OperatorRow{TokenKind::keyword_and, BinaryOperator::logical_and, kAnd},
    OperatorRow{TokenKind::equal, BinaryOperator::equal, kComparison},
    OperatorRow{TokenKind::not_equal, BinaryOperator::not_equal, kComparison},
    OperatorRow{TokenKind::less, BinaryOperator::less, kComparison},
    OperatorRow{TokenKind::less_equal, BinaryOperator::less_equal, kComparison},
    OperatorRow{TokenKind::greater, BinaryOperator::greater, kComparison},
    OperatorRow{TokenKind::greater_equal, BinaryOperator::greater_equal, kComparison},
    OperatorRow{TokenKind::keyword_in, BinaryOperator::in, kComparison},
    OperatorRow{TokenKind::range, BinaryOperator::range, kRange},
    OperatorRow{TokenKind::plus, BinaryOperator::add, kSum},
    OperatorRow{TokenKind::minus, BinaryOperator::subtract, kSum},
    OperatorRow{TokenKind::star, BinaryOperator::multiply, kProduct},
    OperatorRow{TokenKind::slash, BinaryOperator::divide, kProduct},
    OperatorRow{TokenKind::double_slash, BinaryOperator::floor_divide, kProduct},
    OperatorRow{TokenKind::percent, BinaryOperator::remainder, kProduct},
    OperatorRow{TokenKind::at, BinaryOperator::product, kProduct},
};

const OperatorRow* find_operator(TokenKind token) {
  const auto row = std::ranges::find(kOperators, token, &OperatorRow::token);
  return row == kOperators.end() ? nullptr : &*row;
}

}  // namespace

int Parser::depth_from(std::size_t first, Span span) {
  // Expressions are made from the leaves up and from left to right, so those that begin at or behind `first` are below
  // the one that is being made, statements of a scan's body included.
  int below = 0;
  while (!depths_.empty() && depths_.back().first >= first) {
    below = std::max(below, depths_.back().second);
    depths_.pop_back();
  }
  if (below >= ast::kMaxDepth) {
    stop(span, fmt::format("the expression is more than {} operations deep; name a part of it", ast::kMaxDepth));
  }
  depths_.emplace_back(static_cast<std::uint32_t>(first), below + 1);
  return below + 1;
}

ExpressionPtr Parser::parse_expression() {
  const Nesting nesting(*this);
  const std::size_t first = at_;
  ExpressionPtr value = parse_conditional();
  while (is(TokenKind::pipe)) {
    const Span operator_span = take().span(file_);
    ExpressionPtr function = parse_conditional();
    value = make(first, ast::Pipe{operator_span, std::move(value), std::move(function)});
  }
  if (is(TokenKind::arrow)) fail_at(peek().span(file_), "'=>' needs parameters on its left: 'x => …' or '(a, b) => …'");
  return value;
}

bool Parser::at_lambda() const {
  if (is(TokenKind::name)) return is(TokenKind::arrow, 1);
  return is(TokenKind::left_parenthesis) &&
         tokens_[std::min(matching() + 1, tokens_.size() - 1)].kind == TokenKind::arrow;
}

ExpressionPtr Parser::parse_lambda() {
  const std::size_t first = at_;
  ast::Lambda lambda;
  if (is(TokenKind::name)) {
    lambda.parameters.push_back({expect_identifier(), nullptr});
  } else {
    lambda.parameters = parse_parameters();
  }
  expect(TokenKind::arrow);
  lambda.body = parse_expression();
  return make(first, std::move(lambda));
}

ExpressionPtr Parser::parse_conditional() {
  if (at_lambda()) return parse_lambda();
  if (!is(TokenKind::keyword_if)) return parse_operators(kOr);
  const Nesting nesting(*this);
  const std::size_t first = at_;
  take();
  ast::Conditional conditional;
  conditional.condition = parse_expression();
  expect(TokenKind::keyword_then);
  conditional.then_value = parse_expression();
  expect(TokenKind::keyword_else, ": every 'if' in an expression has one");
  conditional.else_value = parse_conditional();
  return make(first, std::move(conditional));
}

ExpressionPtr Parser::parse_operators(int minimum_precedence) {
  const std::size_t first = at_;
  ExpressionPtr left;
  if (is(TokenKind::keyword_not) && minimum_precedence <= kNot) {
    const Nesting nesting(*this);
    take();
    ExpressionPtr operand = parse_operators(kNot);
    left = make(first, ast::Unary{ast::UnaryOperator::logical_not, std::move(operand)});
  } else {
    left = parse_sign();
  }
  int previous = 0;
  while (true) {
    const bool negated = is(TokenKind::keyword_not) && is(TokenKind::keyword_in, 1);
    const OperatorRow* row = find_operator(peek(negated ? 1 : 0).kind);
    if (row == nullptr || row->precedence < minimum_precedence) return left;
    if (row->precedence == previous && previous == kComparison) {
      report(peek().span(file_), "comparisons do not chain: write 'a < b and b < c'");
    } else if (row->precedence == previous && previous == kRange) {
      report(peek().span(file_), "a range has two ends");
    }
    if (negated) take();
    const Span operator_span = take().span(file_);
    ExpressionPtr right = parse_operators(row->precedence + 1);
    left = make(first, ast::Binary{row->op, operator_span, std::move(left), std::move(right)});
    if (negated) left = make(first, ast::Unary{ast::UnaryOperator::logical_not, std::move(left)});
    previous = row->precedence;
  }
}

ExpressionPtr Parser::parse_sign() {
  if (!is(TokenKind::minus)) return parse_power();
  const Nesting nesting(*this);
  const std::size_t first = at_;
  take();
  ExpressionPtr operand = parse_sign();
  return make(first, ast::Unary{ast::UnaryOperator::negate, std::move(operand)});
}

ExpressionPtr Parser::parse_power() {
  const std::size_t first = at_;
  ExpressionPtr base = parse_postfix();
  if (!is(TokenKind::caret)) return base;
  const Nesting nesting(*this);
  const Span operator_span = take().span(file_);
  ExpressionPtr exponent = parse_sign();
  return make(first, ast::Binary{BinaryOperator::power, operator_span, std::move(base), std::move(exponent)});
}

ExpressionPtr Parser::parse_postfix() {
  const std::size_t first = at_;
  ExpressionPtr object = parse_primary();
  while (true) {
    if (is(TokenKind::left_parenthesis)) {
      std::vector<ast::Argument> arguments = parse_arguments(false);
      object = make(first, ast::Call{std::move(object), std::move(arguments)});
    } else if (is(TokenKind::left_bracket)) {
      const std::size_t open = at_;
      ast::Index index;
      do {
        take();  // [ or ,
        index.items.push_back(parse_index_item());
      } while (is(TokenKind::comma));
      expect_closing(open, "',', ':' or ");
      index.object = std::move(object);
      object = make(first, std::move(index));
    } else if (take_if(TokenKind::dot)) {
      ast::Identifier name = expect_identifier("a name after '.'");
      object = make(first, ast::Member{std::move(object), std::move(name)});
    } else {
      return object;
    }
  }
}

ast::Index::Item Parser::parse_index_item() {
  const std::size_t first = at_;
  const auto at_end = [&] { return is(TokenKind::comma) || is(TokenKind::right_bracket); };
  ast::Index::Item item;
  if (at_end()) fail("an index");
  if (!is(TokenKind::colon)) item.index = parse_expression();
  if (take_if(TokenKind::colon)) {
    item.is_slice = true;
    item.begin = std::move(item.index);
    if (!at_end()) item.end = parse_expression();
  }
  item.span = span_from(first);
  return item;
}

ExpressionPtr Parser::parse_primary() {
  const std::size_t first = at_;
  switch (peek().kind) {
    case TokenKind::number:
      return parse_number();
    case TokenKind::string:
    case TokenKind::string_start:
      return parse_string();
    case TokenKind::keyword_true:
    case TokenKind::keyword_false: {
      const bool value = take().kind == TokenKind::keyword_true;
      return make(first, ast::Boolean{value});
    }
    case TokenKind::keyword_none:
      take();
      return make(first, ast::None{});
    case TokenKind::name: {
      if (is_word("scan") && is(TokenKind::left_parenthesis, 1) && is(TokenKind::name, 2) &&
          is(TokenKind::keyword_in, 3)) {
        return parse_scan();
      }
      std::string name(text(take()));
      return make(first, ast::Name{std::move(name)});
    }
    case TokenKind::left_parenthesis: {
      take();
      ExpressionPtr inner = parse_expression();
      if (is(TokenKind::comma))
        fail_at(peek().span(file_), "expected ')', found ','; a list stands in square brackets: [3, 1]");
      expect_closing(first);
      return inner;
    }
    case TokenKind::left_bracket:
      return parse_list();
    case TokenKind::keyword_if:
    case TokenKind::keyword_not:
      fail_at(peek().span(file_),
              fmt::format("'{}' binds looser than the operator before it: put it in ( )", text(peek())));
    default:
      fail("an expression");
  }
}

ExpressionPtr Parser::parse_number() {
  const std::size_t first = at_;
  const Token& token = take();
  ast::Number number;
  number.spelling = std::string(text(token));
  std::string digits = number.spelling;
  std::erase(digits, '_');
  const char* begin = digits.data();
  const char* end = begin + digits.size();
  if (std::from_chars(begin, end, number.value).ec == std::errc::result_out_of_range) {
    report(token.span(file_), "the number is out of the range of 64-bit floating point");
  }
  number.is_integer = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (number.is_integer && std::from_chars(begin, end, number.integer).ec == std::errc::result_out_of_range) {
    report(token.span(file_),
           "the integer is too large: the largest is 9223372036854775807; write 1e19 for a real number");
  }
  return make(first, std::move(number));
}

ExpressionPtr Parser::parse_string() {
  const std::size_t first = at_;
  ast::String string;
  const auto add_text = [&](const Token& token) {
    std::string part = decode_string_part(text(token));
    if (!part.empty()) string.parts.push_back({std::move(part), nullptr});
  };
  bool interrupted = is(TokenKind::string_start);
  add_text(take());
  while (interrupted) {
    string.parts.push_back({{}, parse_expression()});
    if (!is(TokenKind::string_middle) && !is(TokenKind::string_end)) fail("'}'");
    interrupted = is(TokenKind::string_middle);
    add_text(take());
  }
  return make(first, std::move(string));
}

ExpressionPtr Parser::parse_list() {
  const std::size_t first = at_;
  take();
  ast::List list;
  if (!is(TokenKind::right_bracket)) {
    list.elements.push_back(parse_expression());
    if (take_if(TokenKind::keyword_for)) {
      ast::Comprehension comprehension;
      comprehension.element = std::move(list.elements[0]);
      comprehension.names = parse_identifiers();
      expect(TokenKind::keyword_in);
      comprehension.list = parse_expression();
      if (take_if(TokenKind::keyword_if)) comprehension.condition = parse_expression();
      expect_closing(first, "'if' or ");
      return make(first, std::move(comprehension));
    }
    while (take_if(TokenKind::comma) && !is(TokenKind::right_bracket)) list.elements.push_back(parse_expression());
  }
  expect_closing(first, "',' or ");
  return make(first, std::move(list));
}

ExpressionPtr Parser::parse_map() {
  const std::size_t first = at_;
  const auto skip_line_ends = [&] {
    while (take_if(TokenKind::line_end)) {
    }
  };
  take();
  ast::Map map;
  skip_line_ends();
  while (!is(TokenKind::right_brace)) {
    ExpressionPtr key = parse_expression();
    expect(TokenKind::colon, " after the key");
    map.entries.push_back({std::move(key), parse_expression()});
    skip_line_ends();
    if (!take_if(TokenKind::comma)) break;
    skip_line_ends();
  }
  expect_closing(first, "',' or ");
  return make(first, std::move(map));
}

ExpressionPtr Parser::parse_scan() {
  const std::size_t first = at_;
  take();
  const std::size_t open = at_;
  take();
  ast::Scan scan;
  do {
    ast::Identifier name = expect_identifier("'name in sequence' or 'name = first value'");
    if (take_if(TokenKind::keyword_in)) {
      scan.sequences.push_back({std::move(name), parse_expression()});
    } else if (take_if(TokenKind::assign)) {
      scan.carries.push_back({std::move(name), parse_expression()});
    } else {
      fail("'in' or '='");
    }
  } while (take_if(TokenKind::comma) && !is(TokenKind::right_parenthesis));
  expect_closing(open, "',' or ");
  scan.body = parse_block(Place::body);
  return make(first, std::move(scan));
}

ast::Argument Parser::parse_argument(const std::vector<ast::Argument>& before, bool may_be_map) {
  ast::Argument argument;
  if (is(TokenKind::name) && is(TokenKind::assign, 1)) {
    argument.name = expect_identifier();
    take();
    const auto same = [&](const ast::Argument& other) { return other.name && other.name->name == argument.name->name; };
    if (std::ranges::any_of(before, same)) {
      report(argument.name->span, fmt::format("the argument '{}' is given twice", argument.name->name));
    }
  } else if (!before.empty() && before.back().name) {
    report(peek().span(file_), "an argument without a name stands behind one with a name");
  }
  argument.value = may_be_map && is(TokenKind::left_brace) ? parse_map() : parse_expression();
  return argument;
}

std::vector<ast::Argument> Parser::parse_arguments(bool may_be_map) {
  const std::size_t open = at_;
  take();
  std::vector<ast::Argument> arguments;
  while (!is(TokenKind::right_parenthesis)) {
    arguments.push_back(parse_argument(arguments, may_be_map));
    if (!take_if(TokenKind::comma)) break;
  }
  expect_closing(open, "',' or ");
  return arguments;
}

std::vector<ast::Parameter> Parser::parse_parameters() {
  const std::size_t open = at_;
  expect(TokenKind::left_parenthesis);
  std::vector<ast::Parameter> parameters;
  while (!is(TokenKind::right_parenthesis)) {
    ast::Parameter parameter{expect_identifier("the name of a parameter"), nullptr};
    const auto same = [&](const ast::Parameter& other) { return other.name.name == parameter.name.name; };
    if (std::ranges::any_of(parameters, same)) {
      report(parameter.name.span, fmt::format("the parameter '{}' is declared twice", parameter.name.name));
    }
    if (take_if(TokenKind::assign)) parameter.default_value = parse_expression();
    parameters.push_back(std::move(parameter));
    if (!take_if(TokenKind::comma)) break;
  }
  expect_closing(open, "',' or ");
  return parameters;
}

std::vector<ast::Identifier> Parser::parse_identifiers() {
  std::vector<ast::Identifier> names;
  do {
    names.push_back(expect_identifier());
  } while (take_if(TokenKind::comma));
  return names;
}

std::vector<ExpressionPtr> Parser::parse_expressions_until(TokenKind closer) {
  std::vector<ExpressionPtr> expressions;
  while (!is(closer)) {
    expressions.push_back(parse_expression());
    if (!take_if(TokenKind::comma)) break;
  }
  return expressions;
}

}  // namespace tarn
