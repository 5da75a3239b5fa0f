// See writer.h.
#include "tests/models/writer.h"

#include <algorithm>
#include <map>

namespace tarn::models {

namespace {

bool ends_with_any(const std::string& text, std::initializer_list<std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return text.ends_with(end); });
}

// What stands for parameters whose default does not say what else they may be.
const std::map<std::string, std::vector<std::string>>& arguments_by_name() {
  static const std::map<std::string, std::vector<std::string>> table = {
      {"seed", {"1", "none", "7"}},
      {"r_min", {"0.5"}},
      {"r_max", {"2"}},
      {"d_max", {"1"}},
      {"thresholds", {"[0.3, 0.6]", "[0.5]"}},
      {"threshold", {"0.4", "0.2"}},
      {"top_k", {"1", "2"}},
      {"class_id", {"0"}},
      {"k", {"1", "2"}},
      {"weight", {"0.5"}},
      {"ignore_class", {"0", "1"}},
      {"num_thresholds", {"2", "7"}},
      {"curve", {"\"ROC\"", "\"PR\"", "\"PRGAIN\""}},
      {"summation_method", {"\"interpolation\"", "\"minoring\"", "\"majoring\""}},
      {"average", {"none", "\"micro\"", "\"macro\"", "\"weighted\""}},
      {"class_aggregation", {"none", "\"uniform_average\"", "\"variance_weighted_average\""}},
      {"mode", {"\"fan_in\"", "\"fan_out\"", "\"fan_avg\""}},
      {"distribution", {"\"truncated_normal\"", "\"normal\"", "\"uniform\""}},
      {"target_class_ids", {"[0]", "[1]"}},
      {"warmup_target", {"0.05"}},
      {"warmup_steps", {"2"}},
      {"learning_rate_power", {"-0.5", "-0.4"}},
      {"beta_2_decay", {"-0.8", "-0.6"}},
      {"t_mul", {"1", "2", "3"}},
      {"gamma", {"2", "1"}},
      {"features", {"1", "2", "3"}},
      {"lr", {"0.01", "0.002"}},
      {"initial_accumulator_value", {"0.1", "0.2"}},
      {"minval", {"-0.5"}},
      {"maxval", {"0.4"}},
      {"stddev", {"0.3"}},
  };
  return table;
}

std::optional<double> number_in(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string text_of(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string Writer::fresh(const std::string& stem) { return fmt::format("{}{}", stem, ++names_); }

const Named& Writer::add(const std::string& expression, const Shape& shape, double largest) {
  const std::string name = fresh("v");
  const std::string scaled =
      largest <= kLargest ? expression : fmt::format("{:.2g} * ({})", kLargest / largest, expression);
  body.push_back(fmt::format("{} = {}", name, scaled));
  return values.emplace_back(Named{name, shape});
}

std::optional<Named> Writer::value_of_rank(std::size_t least) {
  std::vector<Named> found;
  std::ranges::copy_if(values, std::back_inserter(found), [&](const Named& v) { return v.shape.size() >= least; });
  if (found.empty()) return std::nullopt;
  return choices.one_of(found);
}

std::optional<Named> Writer::value_of_shape(const Shape& shape) {
  std::vector<Named> found;
  std::ranges::copy_if(values, std::back_inserter(found), [&](const Named& v) { return v.shape == shape; });
  if (found.empty()) return std::nullopt;
  return choices.one_of(found);
}

std::int64_t Writer::extent() {
  static const std::vector<std::int64_t> small = {1, 2, 3, 4, 5, 6}, beside_lanes = {7, 8, 9, 15, 16, 17},
                                         large = {31, 32, 33, 63, 64, 65};
  const std::uint32_t kind = choices.below(8);
  return choices.one_of(kind < 5 ? small : kind < 7 ? beside_lanes : large);
}

bool Writer::fits(const Shape& shape) const {
  constexpr std::int64_t kMostElements = 150, kMostOfBatch = 2000;
  return shape.size() <= 5 && element_count(shape) <= kMostElements && element_count(shape) * batch <= kMostOfBatch;
}

std::string Writer::activation() {
  // Those of one argument, which keep the shape.
  std::vector<std::string> names = {"linear", "tanh", "sigmoid"};
  for (const Definition* one : definitions_in("activations", "fn")) {
    const bool is_alone = one->needed() == 1 && one->name != "glu";
    if (is_alone && one->find("axis") == nullptr) names.push_back(one->name);
  }
  const std::string& name = choices.one_of(names);
  if (name == "tanh" || name == "sigmoid") return name;
  const std::string more = choices.once_in(4) ? optional_arguments(definition(name)) : "";
  return more.empty() ? name : fmt::format("z => {}(z{})", name, more);
}

std::string Writer::initializer(bool of_kernel, std::size_t rank) {
  std::vector<const Definition*> candidates;
  for (const Definition* one : definitions_in("initializers", "fn")) {
    // Units that begin as equals have ties between them, and are no good to compare.
    const bool makes_equals = one->name == "zeros" || one->name == "ones" || one->name == "constant";
    const std::size_t needed_rank = one->name == "identity" || one->name == "orthogonal" ? 2 : 0;
    if (one->name == "identity" && rank != 2) continue;
    if (!(of_kernel && makes_equals) && rank >= needed_rank) candidates.push_back(one);
  }
  const Definition& chosen = *choices.one_of(candidates);
  return chosen.is_configured ? call_of(chosen, "") : chosen.name;
}

std::string Writer::regularizer(const std::optional<Shape>& shape) {
  std::vector<const Definition*> candidates;
  for (const Definition* one : definitions_in("regularizers", "fn")) {
    const bool of_pairs = one->find("mode") != nullptr;  // of rows or columns of a matrix
    if (!of_pairs || (shape && shape->size() == 2 && (*shape)[0] > 1 && (*shape)[1] > 1)) candidates.push_back(one);
  }
  const Definition& chosen = *choices.one_of(candidates);
  if (chosen.find("mode") != nullptr) return choices.flip() ? chosen.name + "(mode = \"columns\")" : chosen.name;
  return call_of(chosen, "");
}

std::string Writer::constraint() {
  const Definition& chosen = *choices.one_of(definitions_in("constraints", "fn"));
  return chosen.is_configured ? call_of(chosen, "") : chosen.name;
}

std::optional<std::string> Writer::argument(const Parameter& parameter, const ArgumentUse& use) {
  const std::string& name = parameter.name;
  const std::string& initial = parameter.initial;
  if (is_left_out(left_out_parameters(), name)) return std::nullopt;
  const bool of_kernel =
      name == "kernel_init" || name == "init" || name == "depthwise_init" || name == "pointwise_init";
  if (of_kernel && use.kernel) return initializer(true, use.kernel->size());
  // Written by the tables of layers and statements.
  static constexpr std::string_view kOfTables[] = {"renorm",
                                                   "groups",
                                                   "strides",
                                                   "padding",
                                                   "dilation_rate",
                                                   "depth_multiplier",
                                                   "output_padding",
                                                   "pool_size",
                                                   "keepdims",
                                                   "cropping",
                                                   "size",
                                                   "interpolation",
                                                   "crop_to_aspect_ratio",
                                                   "pad_to_aspect_ratio",
                                                   "fill_mode",
                                                   "fill_value",
                                                   "antialias",
                                                   "value_range"};
  const bool is_of_table = std::ranges::find(kOfTables, name) != std::end(kOfTables);
  if (is_of_table || (name == "mode" && initial.starts_with("\"horizontal"))) return std::nullopt;
  if (name == "max_value" && initial == "none") return "1.5";
  if (name.ends_with("_init") && !of_kernel) return initializer(false, 1);
  if (ends_with_any(name, {"regularizer"})) {
    const bool of_matrix = name.starts_with("kernel") || name == "regularizer";
    return regularizer(of_matrix ? use.kernel : std::nullopt);
  }
  if (ends_with_any(name, {"constraint"})) return constraint();
  if (name == "activation") return activation();
  if (name == "axis") {
    if (use.axes == 0) return std::nullopt;
    const auto axis = static_cast<std::int64_t>(choices.below(use.axes));
    return std::to_string(choices.flip() ? axis : axis - static_cast<std::int64_t>(use.axes));
  }
  if (initial == "true" || initial == "false") return initial == "true" ? "false" : "true";
  if (const auto row = arguments_by_name().find(name); row != arguments_by_name().end())
    return choices.one_of(row->second);
  const std::optional<double> number = number_in(initial);
  if (!number) return std::nullopt;
  if (*number == 0) return "0.1";
  return fmt::format("{:.3g}", *number * (choices.flip() ? 0.5 : 0.9));
}

std::string Writer::optional_arguments(const Definition& of, const ArgumentUse& use) {
  std::string text;
  for (const Parameter& parameter : of.parameters) {
    if (parameter.initial.empty() || !choices.once_in(4)) continue;
    if (const auto value = argument(parameter, use)) text += fmt::format(", {} = {}", parameter.name, *value);
  }
  return text;
}

std::string Writer::call_of(const Definition& of, const std::string& needed, const ArgumentUse& use) {
  std::string list = needed + optional_arguments(of, use);
  if (needed.empty() && list.size() > 2) list = list.substr(2);
  return list.empty() ? of.name : fmt::format("{}({})", of.name, list);
}

const std::vector<Unary>& unary_expressions() {
  static const std::vector<Unary> list = {
      {"0.5 * {0}", 2},
      {"-{0}", 4},
      {"{0}^2", 16},
      {"{0}^3", 64},
      {"exp(0.5 * {0})", 8},
      {"exp(-{0}^2)", 1},
      {"expm1(0.3 * {0})", 3},
      {"log(1 + {0}^2)", 3},
      {"log1p({0}^2)", 3},
      {"sqrt({0}^2 + 0.3)", 4.1},
      {"rsqrt(1 + {0}^2)", 1},
      {"sin({0})", 1},
      {"cos({0})", 1},
      {"tanh({0})", 1},
      {"sigmoid({0})", 1},
      {"erf({0})", 1},
      {"abs({0})", 4},
      {"sign({0}) * {0}", 4},
      {"floor({0})", 4},
      {"ceil({0}) + {0}", 8},
      {"round(2 * {0}) - {0}", 4},
      {"{0} % 0.7", 0.7},
      {"{0} // 0.5", 8},
      {"({0}^2 + 0.5)^1.3", 38},
      {"1 / (1 + {0}^2)", 1},
      {"{0} / 3", 2},
      {"({0} * 2) * 0.5", 4},
      {"clip({0}, -0.5, 0.5)", 0.5},
      {"where({0} > 0.1, {0}, 0.5 * {0})", 4},
      {"where(({0} > -0.3) and not ({0} > 0.5), {0}, 0.1)", 4},
      {"where(({0} <= 0) or ({0} >= 1), -{0}, 0.3)", 4},
      {"max({0}, 0.2)", 4},
      {"min({0}, 0.3, 2 * {0})", 8},
      {"stop_gradient({0}) * {0}", 16},
      {"where(is_finite({0}), {0}, 0)", 4},
      {"where(bool({0}), {0}, 1)", 4},
      {"f64({0})", 4},
      {"f32({0})", 4},
      {"i32(3 * {0}) + {0}", 16},
      {"i32(3 * {0}) // 2", 6},
      {"i32(3 * {0}) / 2", 6},
      {"{0} + 0.1 * random_normal(shape({0}))", 4.4},
      {"{0} * random_uniform(shape({0}), per_step = true)", 4},
      {"{0} - random_uniform(shape({0}), seed = 3)", 5},
      {"{0} + 0.01 * reshape(iota(prod(shape({0}))), shape({0}))", 5.5},
  };
  return list;
}

}  // namespace tarn::models
