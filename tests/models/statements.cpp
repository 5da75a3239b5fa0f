// Statements of a model beside layers of the prelude: operations, merges, functions and layers of the file itself,
// parameters, shared layers, control, indices, draws.
#include <algorithm>
#include <utility>

#include "tests/models/writer.h"

namespace tarn::models {

namespace {

using fmt::format;

std::int64_t axis_of(Writer& writer, const Shape& shape) {
  return static_cast<std::int64_t>(writer.choices.below(shape.size()));
}

Shape without(Shape shape, std::int64_t axis) {
  shape.erase(shape.begin() + axis);
  return shape;
}

Shape with_extent(Shape shape, std::int64_t axis, std::int64_t extent) {
  shape[static_cast<std::size_t>(axis)] = extent;
  return shape;
}

void unary(Writer& writer) {
  const Named x = writer.any_value();
  const Unary& chosen = writer.choices.one_of(unary_expressions());
  writer.add(format(fmt::runtime(chosen.expression), x.name), x.shape, chosen.largest);
}

void activation(Writer& writer) {
  const Named x = writer.any_value();
  writer.add(format("{} |> activation({})", x.name, writer.activation()), x.shape, 64);
}

void along_an_axis(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  std::vector<std::string> names;
  for (const Definition* one : definitions_in("activations", "fn")) {
    if (one->find("axis") != nullptr) names.push_back(one->name);
  }
  const std::string& name = writer.choices.one_of(names);
  const std::int64_t axis = axis_of(writer, x->shape);
  const std::int64_t extent = x->shape[static_cast<std::size_t>(axis)];
  if (name == "glu" && extent % 2 != 0) return;
  const std::string mask =
      name == "softmax" && writer.choices.once_in(3) ? format(", mask = {} > -0.5", x->name) : std::string();
  const Shape result = name == "glu" ? with_extent(x->shape, axis, extent / 2) : x->shape;
  writer.add(format("{}({}, axis = {}{})", name, x->name, axis, mask), result, 8);
}

// Both of one shape, or one that repeats.
void binary(Writer& writer) {
  struct Row {
    const char* expression;
    double largest;
  };
  static const std::vector<Row> rows = {{"{0} + {1}", 8},
                                        {"{0} - {1}", 8},
                                        {"{0} * {1}", 16},
                                        {"{0} / (1 + {1}^2)", 4},
                                        {"max({0}, {1})", 4},
                                        {"min({0}, {1})", 4},
                                        {"where({0} > {1}, {0}, 0.5 * {1})", 4},
                                        {"where({0} == {1}, 1, {0} - {1})", 8},
                                        {"where({0} != {1}, {1}, {0})", 4},
                                        {"(1.5 + sin({0}))^(0.3 * {1})", 4},
                                        {"{0} % (1 + abs({1}))", 5}};
  const Named a = writer.any_value();
  const std::optional<Named> same = writer.value_of_shape(a.shape);
  std::string b = same->name;
  if (!a.shape.empty() && writer.choices.once_in(3))
    b = format("mean({}, axis = {}, keepdims = true)", same->name, axis_of(writer, a.shape));
  const Row& row = writer.choices.one_of(rows);
  writer.add(format(fmt::runtime(row.expression), a.name, b), a.shape, row.largest);
}

void merge(Writer& writer) {
  std::vector<const Definition*> merges = definitions_in("layers_merging", "fn");
  const Definition& chosen = *writer.choices.one_of(merges);
  const Named a = writer.any_value();
  const Named b = *writer.value_of_shape(a.shape);
  if (chosen.find("axis") != nullptr) {
    if (a.shape.empty()) return;
    const std::int64_t axis = axis_of(writer, a.shape);
    const Shape result = with_extent(a.shape, axis, 2 * a.shape[static_cast<std::size_t>(axis)]);
    if (writer.fits(result)) writer.add(format("{}({}, {}, axis = {})", chosen.name, a.name, b.name, axis), result);
    return;
  }
  if (chosen.find("axes") != nullptr) {
    if (a.shape.size() != 1) return;
    const bool scales = writer.choices.flip();
    writer.add(format("{}({}, {}{})", chosen.name, a.name, b.name, scales ? ", normalize = true" : ""), {1},
               scales ? 1 : 4.0 * static_cast<double>(a.shape[0]));
    return;
  }
  const bool takes_list = writer.choices.once_in(3);
  writer.add(takes_list ? format("[{}, {}] |> {}", a.name, b.name, chosen.name)
                        : format("{}({}, {})", chosen.name, a.name, b.name),
             a.shape, 16);
}

void reduction(Writer& writer) {
  struct Row {
    const char* expression;
    double largest;
  };
  static const std::vector<Row> rows = {
      {"mean({0}, axis = {1})", 4},
      {"0.3 * sum({0}, axis = {1})", 8},
      {"max({0}, axis = {1})", 4},
      {"min({0}, axis = {1})", 4},
      {"prod(1 + 0.1 * tanh({0}), axis = {1})", 8},
      {"where(any({0} > 1, axis = {1}), mean({0}, axis = {1}), 0.5)", 4},
      {"where(all({0} > -1, axis = {1}), max({0}, axis = {1}), 0.25)", 4},
      {"f32(argmax({0}, axis = {1})) * 0.1", 4},
      {"mean(one_hot(argmin({0}, axis = {1}), 3), axis = -1)", 1},
      {"sqrt(mean({0}^2, axis = {1}) + 0.1)", 4},
  };
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  const Row& row = writer.choices.one_of(rows);
  const std::int64_t axis = axis_of(writer, x->shape);
  writer.add(format(fmt::runtime(row.expression), x->name, axis), without(x->shape, axis), row.largest);
}

void movement(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  const std::int64_t axis = axis_of(writer, x->shape);
  const std::int64_t extent = x->shape[static_cast<std::size_t>(axis)];
  const std::string colons = [&] {
    std::string text;
    for (std::int64_t i = 0; i < axis; ++i) text += ":, ";
    return text;
  }();
  Shape reversed(x->shape.rbegin(), x->shape.rend());
  switch (writer.choices.below(9)) {
    case 0:
      writer.add(format("reshape({}, [{}])", x->name, element_count(x->shape)), {element_count(x->shape)});
      return;
    case 1:
      writer.add(format("transpose({})", x->name), reversed);
      return;
    case 2:
      writer.add(format("flip({}, axis = {})", x->name, axis), x->shape);
      return;
    case 3: {
      const Shape padded = with_extent(x->shape, axis, extent + 3);
      std::vector<std::string> pairs(x->shape.size(), "[0, 0]");
      pairs[static_cast<std::size_t>(axis)] = "[1, 2]";
      if (writer.fits(padded))
        writer.add(format("pad({}, [{}], value = 0.5)", x->name, fmt::join(pairs, ", ")), padded);
      return;
    }
    case 4:
      writer.add(format("{}[{}{}]", x->name, colons, writer.choices.flip() ? extent - 1 : -extent),
                 without(x->shape, axis));
      return;
    case 5:
      if (extent > 1)
        writer.add(format("{}[{}1:{}]", x->name, colons, extent), with_extent(x->shape, axis, extent - 1));
      return;
    case 6: {
      Shape stacked = x->shape;
      stacked.insert(stacked.begin(), 2);
      if (writer.fits(stacked)) writer.add(format("stack([{0}, 0.5 * {0}])", x->name), stacked);
      return;
    }
    case 7: {
      if (extent % 2 != 0) return;
      const std::string first = writer.fresh("v"), second = writer.fresh("v");
      writer.body.push_back(format("{}, {} = split({}, 2, axis = {})", first, second, x->name, axis));
      writer.values.push_back({first, with_extent(x->shape, axis, extent / 2)});
      writer.values.push_back({second, with_extent(x->shape, axis, extent / 2)});
      return;
    }
    default: {
      const Shape joined = with_extent(x->shape, axis, 2 * extent);
      if (writer.fits(joined))
        writer.add(format("concat({0}, flip({0}, axis = {1}), axis = {1})", x->name, axis), joined);
    }
  }
}

void running_sum(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  const std::int64_t axis = axis_of(writer, x->shape);
  writer.add(format("cumsum({}, axis = {})", x->name, axis), x->shape,
             4 + static_cast<double>(x->shape[static_cast<std::size_t>(axis)]));
}

void product(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  const double n = static_cast<double>(x->shape.back());
  Shape outer = x->shape;
  outer.pop_back();
  std::string letters;
  for (std::size_t i = 0; i < outer.size(); ++i) letters += static_cast<char>('a' + i);
  if (writer.choices.flip() && outer.size() == 1) {  // of one value with itself, summed over the last axis
    const Shape result = {outer[0], outer[0]};
    if (writer.fits(result)) writer.add(format("einsum(\"ak,bk->ab\", {0}, {0})", x->name), result, 4 * n);
  } else if (writer.choices.flip()) {
    writer.add(format("einsum(\"{0}k->{0}\", {1})", letters, x->name), outer, 4 * n);
  } else {
    const std::int64_t units = writer.extent();
    Shape result = outer;
    result.push_back(units);
    if (!writer.fits(result)) return;
    const std::string weight = writer.fresh("w");
    writer.parameters.push_back(weight);
    writer.body.push_back(format("param {}[{}, {}] = {}", weight, x->shape.back(), units, writer.initializer(true, 2)));
    writer.add(writer.choices.flip() ? format("{} @ {}", x->name, weight)
                                     : format("einsum(\"{0}k,km->{0}m\", {1}, {2})", letters, x->name, weight),
               result, 8);
  }
}

void parameter(Writer& writer) {
  const Named x = writer.any_value();
  const std::string name = writer.fresh("w");
  std::string line = format("param {}{} = {}", name, x.shape.empty() ? "" : text_of(x.shape),
                            x.shape.empty() ? "0.3" : writer.initializer(false, x.shape.size()));
  if (writer.choices.once_in(4)) line += format(", regularizer = {}", writer.regularizer(x.shape));
  if (!x.shape.empty() && writer.choices.once_in(4)) line += format(", constraint = {}", writer.constraint());
  const bool is_trainable = !writer.choices.once_in(6);
  if (!is_trainable) line += ", trainable = false";
  if (is_trainable) writer.parameters.push_back(name);
  writer.body.push_back(line);
  writer.add(writer.choices.flip() ? format("{} + {}", x.name, name) : format("(1 + {1}) * {0}", x.name, name), x.shape,
             16);
}

// The same layers for two values, and a copy of them.
void shared(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  const Named other = *writer.value_of_shape(x->shape);
  const std::int64_t units = writer.extent();
  const Shape result = with_extent(x->shape, static_cast<std::int64_t>(x->shape.size()) - 1, units);
  if (!writer.fits(result)) return;
  const std::string layer = writer.fresh("e");
  writer.body.push_back(format("{} = p => p |> dense({}, {})", layer, units, writer.activation()));
  const bool copies = writer.choices.once_in(3);
  writer.add(format("{}({}) - {}({})", layer, x->name, copies ? format("copy({})", layer) : layer, other.name), result,
             16);
}

void control(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  const std::int64_t first = writer.extent(), last = writer.extent();
  const Shape result = with_extent(x->shape, static_cast<std::int64_t>(x->shape.size()) - 1, last);
  if (!writer.fits(with_extent(result, static_cast<std::int64_t>(result.size()) - 1, first)) || !writer.fits(result))
    return;
  const std::string name = writer.fresh("v");
  writer.body.push_back(format("{} = {}", name, x->name));
  writer.body.push_back(
      format("for width in [{2}, {3}] {{ {0} = {0} |> dense(width, {1}) }}", name, writer.activation(), first, last));
  if (writer.choices.flip()) writer.body.push_back(format("repeat 2 {{ {0} = 0.5 * {0} + sin({0}) }}", name));
  if (writer.choices.flip())
    writer.body.push_back(format("if rank({0}) == 1 {{ {0} = {0} * 0.5 }} else {{ {0} = -{0} }}", name));
  if (writer.choices.flip())
    writer.body.push_back(format("check dim({0}, -1) == {1}, \"{0} has {{shape({0})}}\"", name, last));
  if (writer.choices.flip())
    writer.body.push_back(format("check dtype({0}) in [\"f32\", \"f64\"], \"{0} is {{dtype({0})}}\"", name));
  writer.values.push_back({name, result});
}

void function_of_the_file(Writer& writer) {
  const Named x = writer.any_value();
  const std::string name = writer.fresh("f");
  const Unary& body = writer.choices.one_of(unary_expressions());
  const std::string expression = format(fmt::runtime(body.expression), "x");
  writer.declarations.push_back(
      writer.choices.flip() ? format("fn {}(x, factor = 0.5) = factor * ({})", name, expression)
                            : format("fn {}(factor = 0.5)(x) {{\n  y = {}\n  return factor * y\n}}", name, expression));
  writer.add(format("{} |> {}(factor = 0.25)", x.name, name), x.shape, body.largest);
}

// Layers with a state, a penalty, and means over the samples.
void layer_of_the_file(Writer& writer) {
  static const std::vector<const char*> rows = {
      "layer {0}(momentum = 0.9)(x) {{\n  state moving[shape(x)] = zeros\n  m = moving\n  if training {{\n    m = "
      "batch_mean(x)\n    moving <- momentum * moving + (1 - momentum) * m\n  }}\n  return x - m\n}}",
      "layer {0}(momentum = 0.5)(x) {{\n  state spread[shape(x)] = ones\n  if training {{ spread <- momentum * spread "
      "+ 0.5 * batch_var(x) }}\n  return x / sqrt(spread + 1)\n}}",
      "layer {0}(units = 3)(x) {{\n  param a[shape(x)] = uniform(-0.5, 0.5)\n  penalty 0.01 * sum((a * x)^2)\n  "
      "return tanh(x * (1 + a))\n}}",
      "layer {0}(units = 3)(x) {{\n  state total = 0\n  state count = 0\n  adapt {{\n    total <- total + "
      "batch_sum(mean(x))\n    count <- count + batch_sum(1)\n  }}\n  return x - total / max(count, 1)\n}}",
  };
  const Named x = writer.any_value();
  const char* const row = writer.choices.one_of(rows);
  const bool fits_state = row == rows.back();
  if (fits_state && std::exchange(writer.has_fitted_state, true)) return;
  const std::string name = writer.fresh("u");
  writer.declarations.push_back(format(fmt::runtime(row), name));
  writer.add(format("{} |> {}()", x.name, name), x.shape, 8);
}

void gradient(Writer& writer) {
  const Named x = writer.any_value();
  static const std::vector<const char*> rows = {"grad(mean(tanh({0})^2), {0})", "grad(mean(sin({0}) * {0}), {0})",
                                                "grad(mean(softplus({0})), {0})"};
  writer.add(format(fmt::runtime(writer.choices.one_of(rows)), x.name), x.shape, 4);
}

// Rows of a table at the indices that an i32 input has.
void rows_of_a_table(Writer& writer) {
  const std::int64_t count = 1 + writer.choices.below(6), table = 2 + writer.choices.below(8),
                     width = 1 + writer.choices.below(9);
  const std::string input = writer.fresh("k");
  const bool many = writer.choices.flip();
  Shape result = many ? Shape{count, width} : Shape{width};
  if (!writer.fits(result)) return;
  writer.body.push_back(format("input {}{}: i32", input, many ? format("[{}]", count) : ""));
  if (writer.choices.flip()) {
    writer.add(format("{} |> {}", input,
                      writer.call_of(definition("embedding"), format("{}, {}", table, width), {Shape{table, width}})),
               result, 8);
  } else if (writer.choices.flip()) {
    const std::string weight = writer.fresh("w");
    writer.parameters.push_back(weight);
    writer.body.push_back(format("param {}[{}, {}] = {}", weight, table, width, writer.initializer(true, 2)));
    writer.add(format("gather({}, {})", weight, input), result);
  } else {
    result.back() = table;
    if (writer.fits(result)) writer.add(format("one_hot({}, {}) * 0.5", input, table), result);
  }
}

void masked_norm(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(2);
  if (!x) return;
  std::string first = x->name + "[";
  for (std::size_t i = 0; i + 1 < x->shape.size(); ++i) first += ":, ";
  writer.add(format("batch_norm()({}, mask = {}0] > -1)", x->name, first), x->shape);
}

void renormalizing(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  static const std::vector<const char*> limits = {"", ", r_min = 0.5, r_max = 2, d_max = 1", ", r_max = 1.5",
                                                  ", renorm_momentum = 0.9"};
  writer.add(format("{} |> batch_norm(renorm = true{})", x->name, writer.choices.one_of(limits)), x->shape, 8);
}

void threshold(Writer& writer) {
  const Named x = writer.any_value();
  writer.add(format("threshold({}, 0.1, -0.2)", x.name), x.shape);
}

void shape_arithmetic(Writer& writer) {
  const std::optional<Named> x = writer.value_of_rank(1);
  if (!x) return;
  writer.add(format("stack([{0} * len(shape({0})), broadcast(mean({0}), shape({0}))])[0] * dim({0}, 0) / "
                    "prod(shape({0}))",
                    x->name),
             x->shape, 16);
}

}  // namespace

void add_statement(Writer& writer) {
  using Step = void (*)(Writer&);
  static const std::vector<Step> steps = {
      add_layer, add_layer,         add_layer,       add_layer,   unary,
      unary,     activation,        along_an_axis,   binary,      binary,
      merge,     reduction,         movement,        movement,    running_sum,
      product,   parameter,         shared,          control,     function_of_the_file,
      gradient,  layer_of_the_file, rows_of_a_table, masked_norm, renormalizing,
      threshold, shape_arithmetic};
  writer.choices.one_of(steps)(writer);
}

}  // namespace tarn::models
