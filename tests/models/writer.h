// What the parts of the generator share: the text so far, the values that it has, and how arguments are written.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string>
#include <vector>

#include "ir/type.h"
#include "tests/models/choices.h"
#include "tests/models/prelude_parts.h"

namespace tarn::models {

struct Named {
  std::string name;
  Shape shape;  // of one sample
};

// What optional arguments may depend on.
struct ArgumentUse {
  std::optional<Shape> kernel;  // where known: the shape of parameters called kernel or embeddings
  std::size_t axes = 0;         // `axis` may be any of so many; 0: it stays as it is
};

class Writer {
 public:
  explicit Writer(Choices& choices) : choices(choices) {}

  Choices& choices;
  std::vector<std::string> declarations, body, train;
  std::vector<Named> values;  // of sizes up to about kLargest
  std::vector<std::string> parameters;
  std::int64_t batch = 1;
  bool has_fitted_state = false;  // one is enough: none may depend on what another fits

  static constexpr double kLargest = 4;

  std::string fresh(const std::string& stem);
  // A statement of the model that gives a value, scaled down where its elements may be larger than kLargest.
  const Named& add(const std::string& expression, const Shape& shape, double largest = kLargest);
  const Named& any_value() { return choices.one_of(values); }
  // A value with at least so many axes, or none.
  std::optional<Named> value_of_rank(std::size_t least);
  std::optional<Named> value_of_shape(const Shape& shape);

  // Mostly small, often beside a number of lanes.
  std::int64_t extent();
  // Whether a value of this shape is small enough for an evaluator to take its time.
  bool fits(const Shape& shape) const;

  std::string activation();
  std::string initializer(bool of_kernel, std::size_t rank);
  std::string regularizer(const std::optional<Shape>& shape);
  std::string constraint();
  // ", name = value" for some of the parameters that have defaults.
  std::string optional_arguments(const Definition& of, const ArgumentUse& use = {});
  // The name with arguments: `needed`, then some others; the bare name where there are none and it may stand so.
  std::string call_of(const Definition& of, const std::string& needed, const ArgumentUse& use = {});

 private:
  std::optional<std::string> argument(const Parameter& parameter, const ArgumentUse& use);

  int names_ = 0;
};

std::string text_of(const Shape& shape);
// Expressions of {0}, element by element, with the largest they give for |{0}| <= kLargest.
struct Unary {
  const char* expression;
  double largest;
};
const std::vector<Unary>& unary_expressions();

// Adds one statement or a few, where the values that there are allow it.
void add_statement(Writer& writer);
// One application of a layer of the prelude; nothing where it does not fit.
void add_layer(Writer& writer);
// Outputs, and the train block for them.
void add_training(Writer& writer);

}  // namespace tarn::models
