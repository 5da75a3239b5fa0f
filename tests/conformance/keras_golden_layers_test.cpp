// Cases of layers with values and gradients, made with Keras 3.15 in double precision (tests/data/keras/golden_layers):
// each is a small Tarn model, run by the reference evaluator and as native code. The gradient by an input is an output
// of the model; those by weights are what a step of sgd at the rate 1 takes away from them. Where the samples of a
// batch depend on each other, the inputs are a parameter, of which each sample takes its row.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "tests/conformance/layer_spelling.h"

namespace tarn::conformance {
namespace {

constexpr Engine kBoth[] = {Engine::evaluator, Engine::native_f64};

struct Golden {
  std::string text;
  Data data;
  std::vector<std::string> inputs;                      // whose gradients are outputs
  std::map<std::string, std::vector<double>> tensors;   // what is set before
  std::map<std::string, const Json*> gradients, after;  // by tensor
  bool samples_meet = false, has_step = false;
};

std::string tensor_name(const Json& weight) {
  const std::string name = weight.at("name").get<std::string>();
  return "l." + (name == "moving_variance" ? "moving_var" : name);
}

// Letters for the axes of a sample.
std::string letters_of(const Shape& shape) { return std::string("abcdefg").substr(0, shape.size() - 1); }

void declare_input(Golden& golden, const std::string& name, const Json& array) {
  const Shape shape = array.at("shape").get<Shape>();
  const std::string dtype = array.at("dtype").get<std::string>();
  golden.data.rows = shape.at(0);
  if (golden.samples_meet && dtype.starts_with("float")) {
    golden.text += fmt::format("  input row[{}]\n  param rows{} = zeros\n", shape[0], shape_text(shape));
    golden.text += fmt::format("  {0} = einsum(\"n,n{1}->{1}\", row, rows)\n", name, letters_of(shape));
    golden.tensors["rows"] = numbers_of(array);
    std::vector<double>& row = golden.data.arrays["row"];
    for (std::int64_t i = 0; i < shape[0] * shape[0]; ++i) row.push_back(i % (shape[0] + 1) == 0 ? 1 : 0);
    return;
  }
  golden.text += fmt::format("  input {}{}{}\n", name, shape_text(shape, 1), dtype == "bool" ? ": bool" : "");
  golden.data.arrays[name] = numbers_of(array);
  if (dtype != "bool") golden.inputs.push_back(name);
}

std::string call_of(const Json& test, const PreludeName& definition, const std::string& configuration,
                    const std::string& mask) {
  const std::size_t rank = test.at("args").at(0).at("shape").size() - 1;
  const bool turned = has_channels_first(test);
  const std::string x = turned ? channels_last("x", rank) : "x";
  const std::string y = turned ? channels_first("r", rank) : "r";
  if (definition.kind == "layer")
    return fmt::format("  l = {}({})\n  r = l({}{})\n  result = {}\n", definition.name, configuration, x, mask, y);
  return fmt::format("  r = {}({}, {})\n  result = {}\n", definition.name, x, configuration, y);
}

// A gradient is asked for where there is one.
Golden model_of(const Json& test, const PreludeName& definition, const std::string& configuration) {
  Golden golden;
  golden.samples_meet = test.at("kwargs").value("training", false);
  golden.text = "model m {\n";
  declare_input(golden, "x", test.at("args").at(0));
  std::string mask;
  const Json given = test.at("args").size() > 1 ? test.at("args").at(1) : test.at("kwargs").value("mask", Json());
  if (given.is_object()) {
    declare_input(golden, "mask", given);
    std::erase(golden.inputs, "mask");
    mask = ", mask = mask";
  }
  const bool has_gradients = test.contains("gradients");
  const Shape output = array_of(test.at("expected").at(0)).shape;
  if (has_gradients) golden.text += fmt::format("  input pick{}\n", shape_text(output, 1));
  golden.text += call_of(test, definition, configuration, mask) + "  output y = result\n";
  if (!has_gradients) golden.inputs.clear();
  for (const std::string& input : golden.inputs)
    golden.text += fmt::format("  output d{0} = grad(sum(result * pick), {0})\n", input);
  golden.text += "}\n";
  for (std::size_t i = 0; i < test.at("weights").size(); ++i) {
    const Json& weight = test.at("weights")[i];
    const std::string name = tensor_name(weight);
    golden.tensors[name] = numbers_of(weight);
    if (has_gradients && !test.at("gradients").at("weights")[i].is_null())
      golden.gradients[name] = &test.at("gradients").at("weights")[i];
  }
  if (golden.samples_meet && has_gradients) golden.gradients["rows"] = &test.at("gradients").at("args").at(0);
  if (test.contains("state_after")) {
    for (const Json& state : test.at("state_after")) golden.after[tensor_name(state)] = &state;
  }
  // In a step of Tarn, batch_norm goes by its running means only where it is frozen, and then takes no gradient.
  const bool is_frozen = test.at("layer") == "BatchNormalization" && !golden.samples_meet;
  golden.has_step = !golden.gradients.empty() && !is_frozen;
  if (golden.has_step) {
    golden.text += fmt::format("train {{\n  loss {0} * sum(result * pick)\n  optimizer sgd(lr = 1)\n  batch {0}\n}}\n",
                               golden.data.rows);
  }
  return golden;
}

void set_tensors(SmallModel& small, const Golden& golden) {
  for (const auto& [name, values] : golden.tensors) small.set_tensor(name, values);
}

// One step by the cotangent; the loss.
Result<double> step(SmallModel& small, const Golden& golden, const std::vector<double>& pick) {
  set_tensors(small, golden);
  Data data = golden.data;
  data.arrays["pick"] = pick;
  return small.train(data);
}

// The result, element by element, where only training has it.
Result<std::vector<double>> trained_values(SmallModel& small, const Golden& golden, std::size_t size) {
  std::vector<double> values;
  for (std::size_t i = 0; i < size; ++i) {
    std::vector<double> pick(size, 0.0);
    pick[i] = 1;
    TARN_TRY(const double value, step(small, golden, pick));
    values.push_back(value);
  }
  return values;
}

// "" or what differs.
Result<std::string> differences(SmallModel& small, const Golden& golden, const Json& test, const Json& tolerance) {
  const std::vector<double> expected = array_of(test.at("expected").at(0)).values;
  Data data = golden.data;
  if (test.contains("cotangents")) data.arrays["pick"] = array_of(test.at("cotangents").at(0)).values;
  set_tensors(small, golden);
  std::vector<double> values;
  if (golden.samples_meet) {
    TARN_TRY(values, trained_values(small, golden, expected.size()));
  } else {
    TARN_TRY(values, small.predict(data, "y"));
  }
  if (const std::string what = difference(values, expected, tolerance); !what.empty()) return "values: " + what;
  for (const std::string& input : golden.inputs) {
    TARN_TRY(const std::vector<double> gradient, small.predict(data, "d" + input));
    const Json& by_input = test.at("gradients").at("args").at(0);
    const std::string what = difference(gradient, array_of(by_input).values, tolerance);
    if (!what.empty()) return fmt::format("gradient by {}: {}", input, what);
  }
  if (!golden.has_step) return std::string();
  TARN_RETURN_IF_ERROR(step(small, golden, data.arrays.at("pick")));
  for (const auto& [name, gradient] : golden.gradients) {
    std::vector<double> taken = golden.tensors.at(name);
    const std::vector<double> left = small.tensor(name);
    for (std::size_t i = 0; i < taken.size(); ++i) taken[i] -= left[i];
    const std::string what = difference(taken, array_of(*gradient).values, tolerance);
    if (!what.empty()) return fmt::format("gradient by {}: {}", name, what);
  }
  for (const auto& [name, state] : golden.after) {
    const std::string what = difference(small.tensor(name), numbers_of(*state), tolerance);
    if (!what.empty()) return fmt::format("{}: {}", name, what);
  }
  return std::string();
}

Verdict check_golden(const Json& test, const Json& tolerance, std::span<const Engine> engines) {
  const std::string name = tarn_name(test.at("layer").get<std::string>());
  const PreludeName* definition = definition_of(name);
  if (definition == nullptr) return {fmt::format("the prelude has no '{}'", name), ""};
  const Configuration configuration = configuration_of(test, *definition, true);
  if (!configuration.missing.empty())
    return {fmt::format("'{}' has no argument '{}'", name, configuration.missing), ""};
  const Golden golden = model_of(test, *definition, configuration.text);
  for (const Engine engine : engines) {
    const auto failed = [&](const std::string& what) {
      return Verdict{fmt::format("{}: {}\n{}", name_of(engine), what, golden.text), ""};
    };
    Result<std::unique_ptr<SmallModel>> model = compile_model(golden.text, engine);
    if (!model) return failed(model.error().front().message);
    const Json single = {{"abs", 2e-5}, {"rel", 2e-5}};
    const Result<std::string> what =
        differences(**model, golden, test, engine == Engine::native_f32 ? single : tolerance);
    if (!what) return failed(what.error().front().message);
    if (!what->empty()) return failed(*what);
  }
  return {};
}

// By the evaluator and in double precision; the first case of each layer in single precision, too.
std::span<const Engine> engines_for(bool is_first) {
  return is_first ? std::span<const Engine>(kEngines) : std::span<const Engine>(kBoth);
}

void expect_golden(const std::string& name, int at_least) {
  std::set<std::string> seen;
  const Account account = run_cases(read_cases("golden_layers/" + name), [&](const Json& test) {
    const bool is_first = seen.insert(test.at("layer").get<std::string>()).second;
    return check_golden(test, test.at("tolerance"), engines_for(is_first));
  });
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, at_least);
}

// Layers that Tarn does not have yet.
std::string absent_kind(const std::string& layer) {
  static constexpr const char* kAbsent[] = {"RNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed", "Attention"};
  for (const char* absent : kAbsent) {
    if (layer.find(absent) != std::string::npos) return fmt::format("{} layers", absent);
  }
  return "";
}

// A case of Keras's own tests as one of ours: results alone.
Json as_golden(const Json& test, const Json& expected) {
  Json golden = test;
  golden["expected"] = Json::array({{{"shape", array_of(expected).shape}, {"value", expected}}});
  golden["defaults"] = golden.value("defaults", Json::object());
  golden["weights"] = golden.value("weights", Json::array());
  golden["kwargs"] = golden.value("kwargs", Json::object());
  return golden;
}

TEST(KerasGoldenLayers, Convolutions) { expect_golden("conv", 72); }
TEST(KerasGoldenLayers, TransposedConvolutions) { expect_golden("conv_transpose", 52); }
TEST(KerasGoldenLayers, DepthwiseAndSeparableConvolutions) { expect_golden("conv_depthwise_separable", 44); }
TEST(KerasGoldenLayers, Pooling) { expect_golden("pooling", 88); }
TEST(KerasGoldenLayers, Shaping) { expect_golden("shaping", 50); }
TEST(KerasGoldenLayers, NormalizationOfImages) { expect_golden("normalization_on_images", 23); }

// Numbers that Keras's own tests expect.
TEST(KerasGoldenLayers, NumbersOfTests) {
  const Account account = run_cases(read_cases("golden_layers/keras_tests"), [&](const Json& test) {
    if (std::string kind = absent_kind(test.at("layer").get<std::string>()); !kind.empty()) return Verdict{"", kind};
    if (test.at("already_in_layers_json").get<bool>()) return Verdict{"", "in layers.json"};
    if (test.at("config").contains("dtype")) return Verdict{"", "types of a layer"};
    return check_golden(as_golden(test, test.at("expected")), test.at("tolerance"), kBoth);
  });
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, 60);
}

// "" or what is wrong with the shape of the result, or with the number of weights.
std::string shape_difference(const Json& test) {
  const std::string name = tarn_name(test.at("layer").get<std::string>());
  const PreludeName* definition = definition_of(name);
  if (definition == nullptr) return fmt::format("the prelude has no '{}'", name);
  Json spelled = test;
  spelled["defaults"] = Json::object();
  const std::string call = call_of({{"args", {{{"shape", test.at("input_shape")}}}}, {"config", test.at("config")}},
                                   *definition, configuration_of(spelled, *definition, true).text, "");
  const std::string text = fmt::format("model m {{\n  input x{}\n{}  output y = result\n}}\n",
                                       shape_text(test.at("input_shape").get<Shape>(), 1), call);
  Sources sources;
  const FrontendResult result = compile_text("case.tarn", text, {}, sources);
  if (!result.program) return format(result.diagnostics, sources);
  Shape shape = test.at("expected_output_shape").get<Shape>();
  shape.erase(shape.begin());
  if (result.program->outputs.at(0).type.shape != shape)
    return fmt::format("the result is {}, expected {}", to_string(result.program->outputs[0].type.shape),
                       to_string(shape));
  const auto count = std::count_if(result.program->tensors.begin(), result.program->tensors.end(),
                                   [](const TensorInfo& t) { return t.kind == TensorKind::parameter; });
  const auto expected = test.value("expected_num_trainable_weights", std::int64_t{0});
  return count == expected ? "" : fmt::format("there are {} parameters, expected {}", count, expected);
}

TEST(KerasGoldenLayers, ShapesOfTests) {
  const Account account = run_cases(read_cases("golden_layers/keras_tests_shapes"), [&](const Json& test) {
    const std::string layer = test.at("layer").get<std::string>();
    if (std::string kind = absent_kind(layer); !kind.empty()) return Verdict{"", kind};
    if (layer == "Embedding") return Verdict{"", "embeddings of i32"};
    if (test.at("config").contains("lora_rank")) return Verdict{"", "adapters of low rank"};
    if (test.at("input_shape").is_array() && element_count(test.at("input_shape").get<Shape>()) == 0)
      return Verdict{"", "tensors without elements"};
    // Inputs are printed as doubles, results as the floats that they become.
    if (test.contains("args")) return check_golden(as_golden(test, test.at("expected_output")), {{"rel", 1e-7}}, kBoth);
    return Verdict{shape_difference(test), ""};
  });
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, 61);
}

// What Keras refuses or, where it says so, takes; Tarn differs where it has a reason.
struct Otherwise {
  const char* test;
  bool refused;
  const char* reason;
};
constexpr Otherwise kOtherwise[] = {
    {"refusals[0033]", true, "a model of Keras with such a layer cannot be built either"},
    {"refusals[0034]", true, "a model of Keras with such a layer cannot be built either"},
    {"refusals[0075]", false, "the scale of rms_norm is along its axis"},
};

std::string refusal_difference(const Json& test) {
  const std::string name = tarn_name(test.at("layer").get<std::string>());
  const PreludeName* definition = definition_of(name);
  if (definition == nullptr) return fmt::format("the prelude has no '{}'", name);
  std::string configuration = configuration_of(test, *definition, true).text;
  if (test.at("config").contains("data_format"))
    configuration += fmt::format(", data_format = {}", argument_text(test.at("config").at("data_format")));
  const std::string text = fmt::format("model m {{\n  input x{}\n  output y = x |> {}({})\n}}\n",
                                       shape_text(test.at("input_shapes").at(0).get<Shape>(), 1), name, configuration);
  bool refused = test.at("refused").get<bool>();
  for (const Otherwise& otherwise : kOtherwise) {
    if (test.at("test") == otherwise.test) refused = otherwise.refused;
  }
  Sources sources;
  const FrontendResult result = compile_text("case.tarn", text, {}, sources);
  const std::string said = format(result.diagnostics, sources);
  if (refused != !result.program) return (refused ? "is not refused:\n" : said) + text;
  if (refused) return said.starts_with("case.tarn:3:") ? "" : "is not refused at its line:\n" + said;
  if (!test.contains("output_shape")) return "";
  Shape shape = test.at("output_shape").get<Shape>();
  shape.erase(shape.begin());
  return result.program->outputs.at(0).type.shape == shape ? "" : "another shape than " + to_string(shape);
}

TEST(KerasGoldenLayers, Refusals) {
  const Account account = run_cases(read_cases("golden_layers/refusals"), [&](const Json& test) {
    const std::string layer = test.at("layer").get<std::string>();
    if (std::string kind = absent_kind(layer); !kind.empty()) return Verdict{"", kind};
    return Verdict{refusal_difference(test), ""};
  });
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, 30);
}

}  // namespace
}  // namespace tarn::conformance
