// Cases of Keras (tests/data/keras) in Tarn's spelling, and the account of which of them hold.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "ir/type.h"
#include "tests/conformance/small_model.h"

namespace tarn::conformance {

using Json = nlohmann::json;

struct Array {
  Shape shape;
  std::vector<double> values;
};

// The cases of tests/data/keras/<name>.json.
Json read_cases(const std::string& name);
// {"shape": …, "value": nested lists}, or a nested list alone.
Array array_of(const Json& json);
// "[2, 3]" for a declaration; from `begin` on.
std::string shape_text(const Shape& shape, std::size_t begin = 0);
// A value as an argument in Tarn: none, true, 0.5, [1, 2]; nested lists are literal arrays.
std::string argument_text(const Json& json);
// "MeanSquaredError" as "mean_squared_error", "RMSprop" as "rmsprop".
std::string function_name(const std::string& class_name);
// "lr" for "learning_rate"; "" for what the function of that name has no use for.
std::string argument_name(const std::string& keras_name);
// ", alpha = 0.25, gamma = 2": named arguments but those in `but`.
std::string named_arguments(const Json& arguments, const std::vector<std::string>& but = {});

// |value - expected| <= abs + rel |expected| for each element; "" or what differs.
std::string difference(const std::vector<double>& values, const std::vector<double>& expected, const Json& tolerance);

// What became of a case: nothing to say where it passed.
struct Verdict {
  std::string failure;
  std::string not_applicable;  // the kind of cases that Tarn has nothing for
};
struct Account {
  int passed = 0;
  std::map<std::string, int> not_applicable;  // by kind
  std::vector<std::string> failures;
  int total() const;
  std::string text() const;  // "88 cases: 83 passed, 0 failed, 5 not applicable (5 circle loss)", failures below
};
// Runs the cases of a file and counts.
Account run_cases(const Json& cases, const std::function<Verdict(const Json&)>& run);

// The verdict on one model over the engines: what `values` gives of it must be near `expected`.
Verdict compare(const std::string& text, const Json& expected, const Json& tolerance,
                const std::function<Result<std::vector<double>>(SmallModel&)>& values,
                std::span<const Engine> engines = kEngines);

// A model with the input g and the parameter w, of the same shape, whose loss is sum(w g): its gradient by w is g. The
// batch is one sample. `train` are lines of the train block.
std::string gradient_model(const Shape& shape, const std::string& initial, const std::string& train);

}  // namespace tarn::conformance
