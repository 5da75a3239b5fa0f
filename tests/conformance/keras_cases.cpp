// See keras_cases.h.
#include "tests/conformance/keras_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "tests/support/files.h"

namespace tarn::conformance {

namespace {

// Where the rule for names does not give the prelude's.
const std::map<std::string, std::string> kFunctionNames = {
    {"RMSprop", "rmsprop"},
    {"AdamW", "adamw"},
    {"Accuracy", "exact_accuracy"},
    {"FBetaScore", "fbeta_score"},
    {"IoU", "iou"},
    {"MeanIoU", "mean_iou"},
    {"BinaryIoU", "binary_iou"},
    {"OneHotIoU", "one_hot_iou"},
    {"OneHotMeanIoU", "one_hot_mean_iou"},
    {"LogCoshError", "log_cosh"},
    {"Mean", "weighted_mean"},
    {"Sum", "weighted_sum"},
};

const std::map<std::string, std::string> kArgumentNames = {
    {"learning_rate", "lr"},
    {"initial_learning_rate", "lr"},
    {"end_learning_rate", "end"},
    {"first_decay_steps", "first"},
};

void flatten(const Json& json, std::size_t depth, Array& array) {
  if (!json.is_array()) {
    array.values.push_back(json.is_boolean() ? (json.get<bool>() ? 1.0 : 0.0) : json.get<double>());
    return;
  }
  if (array.shape.size() == depth) array.shape.push_back(static_cast<std::int64_t>(json.size()));
  for (const Json& element : json) flatten(element, depth + 1, array);
}

}  // namespace

Json read_cases(const std::string& name) {
  return Json::parse(test::read_text(test::source_folder() / "tests/data/keras" / (name + ".json")));
}

Array array_of(const Json& json) {
  Array array;
  flatten(json.is_object() ? json.at("value") : json, 0, array);
  if (json.is_object()) array.shape = json.at("shape").get<Shape>();
  return array;
}

std::string shape_text(const Shape& shape, std::size_t begin) {
  return fmt::format("[{}]", fmt::join(shape.begin() + static_cast<std::ptrdiff_t>(begin), shape.end(), ", "));
}

std::string argument_text(const Json& json) {
  if (json.is_null()) return "none";
  if (json.is_boolean()) return json.get<bool>() ? "true" : "false";
  if (json.is_object()) return argument_text(json.contains("data") ? json.at("data").at(0) : json.at("value"));
  if (json.is_string()) return "\"" + json.get<std::string>() + "\"";
  if (!json.is_array()) return fmt::format("{}", json.get<double>());
  std::vector<std::string> parts;
  for (const Json& element : json) parts.push_back(argument_text(element));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string function_name(const std::string& class_name) {
  if (const auto it = kFunctionNames.find(class_name); it != kFunctionNames.end()) return it->second;
  const auto is_upper = [&](std::size_t i) { return std::isupper(static_cast<unsigned char>(class_name[i])) != 0; };
  std::string name;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const bool next_is_lower = i + 1 < class_name.size() && !is_upper(i + 1);
    // The D of "Conv2DTranspose" goes with its number.
    const bool is_behind_number = i > 0 && std::isdigit(static_cast<unsigned char>(class_name[i - 1])) != 0;
    if (i > 0 && is_upper(i) && !(is_behind_number && class_name[i] == 'D') && (!is_upper(i - 1) || next_is_lower))
      name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(class_name[i])));
  }
  return name;
}

std::string argument_name(const std::string& keras_name) {
  const auto it = kArgumentNames.find(keras_name);
  return it == kArgumentNames.end() ? keras_name : it->second;
}

std::string named_arguments(const Json& arguments, const std::vector<std::string>& but) {
  std::string text;
  for (const auto& [name, value] : arguments.items()) {
    if (std::find(but.begin(), but.end(), name) != but.end()) continue;
    text += fmt::format(", {} = {}", argument_name(name), argument_text(value));
  }
  return text;
}

std::string difference(const std::vector<double>& values, const std::vector<double>& expected, const Json& tolerance) {
  if (values.size() != expected.size()) return fmt::format("{} values for {}", values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double bound = tolerance.value("abs", 0.0) + tolerance.value("rel", 0.0) * std::fabs(expected[i]);
    if (!(std::fabs(values[i] - expected[i]) <= bound))
      return fmt::format("[{}] is {}, expected {} ± {}", i, values[i], expected[i], bound);
  }
  return "";
}

int Account::total() const {
  int count = passed + static_cast<int>(failures.size());
  for (const auto& [kind, number] : not_applicable) count += number;
  return count;
}

std::string Account::text() const {
  std::vector<std::string> kinds;
  for (const auto& [kind, number] : not_applicable) kinds.push_back(fmt::format("{} {}", number, kind));
  const int outside = total() - passed - static_cast<int>(failures.size());
  return fmt::format("{} cases: {} passed, {} failed, {} not applicable{}\n{}", total(), passed, failures.size(),
                     outside, kinds.empty() ? "" : fmt::format(" ({})", fmt::join(kinds, ", ")),
                     fmt::join(failures, ""));
}

Account run_cases(const Json& cases, const std::function<Verdict(const Json&)>& run) {
  Account account;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Verdict verdict = run(cases[i]);
    if (!verdict.not_applicable.empty()) {
      ++account.not_applicable[verdict.not_applicable];
    } else if (!verdict.failure.empty()) {
      account.failures.push_back(
          fmt::format("case {}, {}: {}\n", i, cases[i].at("test").get<std::string>(), verdict.failure));
    } else {
      ++account.passed;
    }
  }
  return account;
}

Verdict compare(const std::string& text, const Json& expected, const Json& tolerance,
                const std::function<Result<std::vector<double>>(SmallModel&)>& values,
                std::span<const Engine> engines) {
  const std::vector<double> wanted = array_of(expected).values;
  for (const Engine engine : engines) {
    Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
    const auto failed = [&](const std::string& what) {
      return Verdict{fmt::format("{}: {}\n{}", name_of(engine), what, text), ""};
    };
    if (!model) return failed(model.error().front().message);
    const Result<std::vector<double>> found = values(**model);
    if (!found) return failed(found.error().front().message);
    if (const std::string what = difference(*found, wanted, tolerance); !what.empty()) return failed(what);
  }
  return {};
}

std::string gradient_model(const Shape& shape, const std::string& initial, const std::string& train) {
  return fmt::format(
      "model m {{\n  input g{}\n  param w{} = {}\n  output y = sum(w * g)\n}}\ntrain {{\n  loss y\n{}  batch 1\n}}\n",
      shape_text(shape), shape_text(shape), initial, train);
}

}  // namespace tarn::conformance
