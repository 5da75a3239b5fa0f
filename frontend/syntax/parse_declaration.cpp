// Declarations of the parser: what gives a name to something of a file, a model or a layer.
#include <fmt/format.h>

#include "frontend/syntax/parser_implementation.h"

namespace tarn {

Parser::Node Parser::parse_import() {
  take();
  ast::Import import;
  import.name_span = peek().span(file_);
  import.is_file = !is(TokenKind::name);
  if (is(TokenKind::string_start)) fail_at(import.name_span, "the name of a file in 'import' cannot hold {…}");
  import.name = import.is_file ? decode_string_part(text(peek())) : std::string(text(peek()));
  take();
  return import;
}

Parser::Node Parser::parse_const() {
  take();
  ast::Const constant;
  constant.name = expect_identifier();
  expect(TokenKind::assign);
  constant.value = parse_expression();
  return constant;
}

// larger is better, smaller is better, better as value; nothing where none of these stands here.
std::optional<ast::Direction> Parser::parse_direction() {
  const auto is_word = [&](std::string_view word) { return is(TokenKind::name) && text(peek(0)) == word; };
  const auto take_word = [&](std::string_view word) {
    if (!is_word(word)) fail(fmt::format("'{}'", word));
    take();
  };
  ast::Direction direction;
  direction.larger = is_word("larger");
  if (is_word("better")) {
    take();
    take_word("as");
    direction.as = expect_identifier();
    return direction;
  }
  if (!direction.larger && !is_word("smaller")) return std::nullopt;
  take();
  take_word("is");
  take_word("better");
  return direction;
}

Parser::Node Parser::parse_function() {
  const std::string_view word = text(take());
  ast::Function function;
  function.kind = word == "layer"       ? ast::FunctionKind::layer
                  : word == "optimizer" ? ast::FunctionKind::optimizer
                  : word == "metric"    ? ast::FunctionKind::metric
                                        : ast::FunctionKind::function;
  function.name = expect_identifier();
  do {
    function.parameter_lists.push_back(parse_parameters());
  } while (is(TokenKind::left_parenthesis));
  if (function.kind == ast::FunctionKind::function || function.kind == ast::FunctionKind::metric)
    function.direction = parse_direction();
  if (take_if(TokenKind::assign)) {
    function.expression = parse_expression();
  } else if (is(TokenKind::left_brace)) {
    function.block = parse_block(Place::body);
  } else {
    fail(fmt::format("'=' or '{{' and the body of '{}'", function.name.name));
  }
  return function;
}

Parser::Node Parser::parse_model() {
  take();
  ast::Model model;
  model.name = expect_identifier("the name of the model");
  model.block = parse_block(Place::body);
  return model;
}

Parser::Node Parser::parse_train() {
  take();
  return ast::Train{parse_block(Place::train)};
}

Parser::Node Parser::parse_data() {
  take();
  ast::Data data;
  if (is(TokenKind::name)) data.name = expect_identifier();
  data.block = parse_block(Place::data);
  return data;
}

Parser::Node Parser::parse_variable() {
  const std::string_view word = text(take());
  ast::Variable variable;
  variable.kind = word == "input"    ? ast::VariableKind::input
                  : word == "target" ? ast::VariableKind::target
                  : word == "param"  ? ast::VariableKind::parameter
                  : word == "state"  ? ast::VariableKind::state
                                     : ast::VariableKind::slot;
  variable.name = expect_identifier();
  if (is(TokenKind::left_bracket)) {
    const std::size_t open = at_;
    take();
    variable.shape = parse_expressions_until(TokenKind::right_bracket);
    expect_closing(open, "',' or ");
  }
  if (take_if(TokenKind::colon)) variable.type = expect_identifier("a type");
  if (variable.kind == ast::VariableKind::input || variable.kind == ast::VariableKind::target) {
    if (is(TokenKind::assign))
      fail_at(peek().span(file_), fmt::format("'{}' takes no value: it comes from the data", word));
    return variable;
  }
  if (take_if(TokenKind::assign)) variable.initial = parse_expression();
  while (take_if(TokenKind::comma)) {
    if (!is(TokenKind::name) || !is(TokenKind::assign, 1)) fail("an option, as in 'regularizer = l2'");
    variable.options.push_back(parse_argument(variable.options, false));
  }
  return variable;
}

Parser::Node Parser::parse_output() {
  take();
  ast::Output output;
  output.name = expect_identifier();
  if (take_if(TokenKind::assign)) output.value = parse_expression();
  return output;
}

}  // namespace tarn
