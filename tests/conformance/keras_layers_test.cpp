// Cases of Keras's own unit tests of layers, regularizers, constraints and initializers (tests/data/keras/layers.json)
// as small Tarn models, each run by the reference evaluator and as native code in f64 and f32, within the tolerance of
// the case.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "frontend/frontend.h"
#include "tests/conformance/keras_cases.h"
#include "tests/conformance/layer_spelling.h"

namespace tarn::conformance {
namespace {

// Kinds of cases about things that Tarn does not have.
struct Absent {
  const char* part;  // of the name of the layer or method
  const char* kind;
};
constexpr Absent kAbsentLayers[] = {
    {"LSTM", "recurrent layers"},     {"GRU", "recurrent layers"},
    {"RNN", "recurrent layers"},      {"Bidirectional", "recurrent layers"},
    {"ConvLSTM", "recurrent layers"}, {"Attention", "attention as Keras cuts it into layers"},
};
constexpr Absent kAbsentMethods[] = {
    {"config", "configurations written out, where Tarn has its source text"},
};

// What a case leaves out because its test draws it. Batch renormalization: numpy.random.seed(1337) and the draws that
// test_renorm_correctness makes after it. PReLU: unseeded; the slope of each channel is y / x where it shows first, and
// all other places must have the same.
std::map<std::string, std::vector<double>> drawn_weights(const Json& test) {
  const std::string name = test.at("test").get<std::string>();
  if (name.find("test_renorm_correctness") != std::string::npos) {
    return {{"moving_mean", {-0.7031873098624105, -0.49028236278771464, -0.3218143296501526}},
            {"moving_var", {0.12246064143800661, 1.1033322351069152, 0.005632286407317055}},
            {"renorm_mean", {-0.5572507081239421, 0.3372170084417056, 1.5488359716694058}},
            {"renorm_deviation", {0.3146317208695186, 1.7126456993314512, 0.8602680450985327}},
            {"gamma", {0.9440372093239868, 1.1186383367445605, 1.1698518905137663}},
            {"beta", {-0.1691220157640505, -0.06995228442321605, 0.0582962841937446}}};
  }
  if (name.find("test_prelu_correctness") != std::string::npos) {
    const std::vector<double> x = numbers_of(test.at("args").at(0)), y = array_of(test.at("expected")).values;
    std::vector<double> alpha(3);
    for (std::size_t i = x.size(); i-- > 0;) {
      if (x[i] < 0) alpha[i % 3] = y[i] / x[i];
    }
    return {{"alpha", alpha}};
  }
  return {};
}

// A case as a model: what it is called with, and where its weights come from.
struct LayerModel {
  std::string inputs, call;
  Data data;
  Shape output;  // of all samples
  std::map<std::string, std::vector<double>> weights;
};

void add_input(LayerModel& model, const std::string& name, const Json& array, bool has_samples) {
  const Shape shape = array.at("shape").get<Shape>();
  const std::string dtype = array.value("dtype", "float32");
  const std::string type = dtype.starts_with("int") ? ": i32" : dtype == "bool" ? ": bool" : "";
  model.inputs += fmt::format("  input {}{}{}\n", name, shape_text(shape, has_samples ? 1 : 0), type);
  model.data.arrays[name] = numbers_of(array);
  if (has_samples) model.data.rows = shape.at(0);
}

std::string model_text(const LayerModel& model, bool trains) {
  std::string text = fmt::format("model m {{\n{}", model.inputs);
  if (trains) text += "  param unused = 0\n";
  text += fmt::format("  {}\n  output y = result{}\n}}\n", model.call, trains ? " + 0 * unused" : "");
  if (!trains) return text;
  Shape sample(model.output.begin() + 1, model.output.end());
  return text +
         fmt::format("train {{\n  target pick{}\n  loss sum(y * pick)\n  optimizer sgd(lr = 0)\n  batch {}\n}}\n",
                     shape_text(sample), model.data.rows);
}

// The result of a training step, element by element: the loss is the one that is picked. Between steps the weights and
// states are set back.
Result<std::vector<double>> result_in_training(SmallModel& small, const LayerModel& model,
                                               const std::vector<std::string>& states) {
  std::map<std::string, std::vector<double>> before;
  for (const std::string& state : states) before[state] = small.tensor(state);
  Data data = model.data;
  std::vector<double> result;
  const auto size = static_cast<std::size_t>(element_count(model.output));
  for (std::size_t i = 0; i < size; ++i) {
    std::vector<double> pick(size, 0.0);
    pick[i] = static_cast<double>(model.data.rows);
    data.arrays["pick"] = pick;
    for (const auto& [name, values] : before) small.set_tensor(name, values);
    TARN_TRY(const double value, small.train(data));
    result.push_back(value);
  }
  return result;
}

// Some expected values are parts of the result: an index, or slice(None,None,None), for each of its first axes.
Result<std::vector<double>> part_of(const std::vector<double>& values, Shape shape, const Json& result_index) {
  Json indices = result_index.size() == 1 && result_index[0].is_array() ? result_index[0] : result_index;
  std::vector<std::vector<double>> parts = {values};
  for (std::size_t axis = 0; axis < indices.size(); ++axis) {
    const bool is_all = indices[axis].is_string();
    std::vector<std::vector<double>> next;
    for (const std::vector<double>& part : parts) {
      const std::size_t size = part.size() / static_cast<std::size_t>(shape[axis]);
      for (std::size_t i = 0; i < static_cast<std::size_t>(shape[axis]); ++i) {
        if (!is_all && i != indices[axis].get<std::size_t>()) continue;
        const auto begin = part.begin() + static_cast<std::ptrdiff_t>(i * size);
        next.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
      }
    }
    parts = std::move(next);
  }
  std::vector<double> result;
  for (const std::vector<double>& part : parts) result.insert(result.end(), part.begin(), part.end());
  return result;
}

// What states are after a step.
Status expect_states(const SmallModel& small, const Json& test) {
  const Json states = test.value("states", Json::object());
  for (const auto& [name, expected] : states.items()) {
    const std::string what = difference(small.tensor("l." + name), array_of(expected).values, test.at("tolerance"));
    if (!what.empty()) return error(name + what);
  }
  return Done{};
}

std::string absent_kind(const Json& test) {
  const std::string layer = test.at("layer").get<std::string>(), method = test.at("method").get<std::string>();
  for (const Absent& absent : kAbsentMethods) {
    if (method.find(absent.part) != std::string::npos) return absent.kind;
  }
  for (const Absent& absent : kAbsentLayers) {
    if (layer.find(absent.part) != std::string::npos) return absent.kind;
  }
  return "";
}

// mask: one number for each place, made as large as the input where the function takes it so.
Json full_mask(const Json& mask, const Json& x) {
  Json full = mask;
  std::vector<double> values = numbers_of(mask);
  const auto size = static_cast<std::size_t>(element_count(x.at("shape").get<Shape>()));
  const std::size_t count = values.size();
  for (std::size_t i = count; i < size; ++i) values.push_back(values[i % count]);
  full["shape"] = x.at("shape");
  full["data"] = values;
  return full;
}

Verdict check_layer(const Json& test, std::span<const Engine> engines) {
  if (const std::string kind = absent_kind(test); !kind.empty()) return {"", kind};
  const std::string layer = test.at("layer").get<std::string>(), name = tarn_name(layer);
  const PreludeName* definition = definition_of(name);
  if (definition == nullptr) return {fmt::format("the prelude has no '{}'", name), ""};
  const bool is_layer = definition->kind == "layer";
  // Activations take the array of Keras as one sample, so that axes mean the same; regularizers and constraints are not
  // about samples at all.
  const Json& first = test.at("args").at(0);
  const bool has_samples = is_layer || first.is_array() || definition->kind == "builtin";
  const Configuration configuration = configuration_of(test, *definition, has_samples);
  if (!configuration.missing.empty())
    return {fmt::format("'{}' has no argument '{}'", name, configuration.missing), ""};

  LayerModel model;
  model.data.rows = 1;
  std::string inputs;
  const std::vector<Json> arrays =
      first.is_array() ? std::vector<Json>(first.begin(), first.end()) : std::vector{first};
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::string input = fmt::format("x{}", i);
    add_input(model, input, arrays[i], has_samples);
    inputs += (i > 0 ? ", " : "") + input;
  }
  if (first.is_array()) inputs = "[" + inputs + "]";
  Json keywords = test.at("kwargs");
  if (test.at("args").size() > 1 && layer == "GlobalAveragePooling1D") keywords["mask"] = test.at("args").at(1);
  const bool masked = keywords.contains("mask") && !keywords.at("mask").is_null();
  if (masked && !takes(*definition, "mask")) return {"", "masks"};
  if (masked)
    add_input(model, "mask", is_layer ? keywords.at("mask") : full_mask(keywords.at("mask"), first), has_samples);
  const std::string mask = masked ? ", mask = mask" : "";
  const bool is_curried = definition->signature.find(")(") != std::string::npos;
  const std::string separator = configuration.text.empty() ? "" : ", ";
  const std::size_t rank = arrays.front().is_object() ? arrays.front().at("shape").size() - 1 : 0;
  const bool turned = has_channels_first(test);
  if (turned) inputs = channels_last(inputs, rank);
  model.call = is_layer ? fmt::format("l = {}({}); r = l({}{}); result = {}", name, configuration.text, inputs, mask,
                                      turned ? channels_first("r", rank) : "r")
               : is_curried ? fmt::format("result = {}({})({})", name, configuration.text, inputs)
                            : fmt::format("result = {}({}{}{}{})", name, inputs, separator, configuration.text, mask);
  const Array expected = array_of(test.at("expected"));
  model.output = has_samples || expected.shape.empty() ? expected.shape : first.at("shape").get<Shape>();

  std::vector<std::string> states;
  for (const auto& [weight, values] : drawn_weights(test)) model.weights["l." + weight] = values;
  Data fitted;
  for (const Json& prior : test.at("prior_calls")) {
    if (prior.at("op") == "adapt") {
      const Json& rows = prior.at("args").at(0);
      fitted = {{{"x0", numbers_of(rows)}}, rows.at("shape").at(0).get<std::int64_t>()};
    }
    if (prior.at("op") != "set_weights") continue;
    const Json& weights = prior.at("args").at(0);
    const std::vector<std::string> names = layer_weights(test);
    for (std::size_t i = 0; i < weights.size(); ++i) model.weights["l." + names.at(i)] = numbers_of(weights[i]);
  }
  const bool trains = keywords.value("training", false) && is_layer;
  if (trains && layer == "BatchNormalization") states = {"l.moving_mean", "l.moving_var"};
  if (trains && test.at("config").value("renorm", false))
    states.insert(states.end(), {"l.renorm_mean", "l.renorm_deviation", "l.moving_deviation"});
  return compare(
      model_text(model, trains), test.at("expected"), test.at("tolerance"),
      [&](SmallModel& small) -> Result<std::vector<double>> {
        for (const auto& [weight, values] : model.weights) small.set_tensor(weight, values);
        if (fitted.rows > 0) TARN_RETURN_IF_ERROR(small.adapt(fitted));
        if (trains) {
          TARN_TRY(const std::vector<double> y, result_in_training(small, model, states));
          TARN_RETURN_IF_ERROR(expect_states(small, test));
          return y;
        }
        TARN_TRY(const std::vector<double> y, small.predict(model.data, "y"));
        return part_of(y, model.output, test.at("result_index"));
      },
      engines);
}

void expect_all(const std::string& name, int at_least,
                const std::function<std::span<const Engine>(const Json&)>& engines) {
  const Account account =
      run_cases(read_cases(name), [&](const Json& test) { return check_layer(test, engines(test)); });
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, at_least);
}

TEST(KerasConformance, Layers) {
  expect_all("layers", 49, [](const Json&) { return std::span<const Engine>(kEngines); });
}

// Cases that keras_layers.py had Keras compute: many, and native code takes 35 ms a case, so that each layer is
// compiled once.
TEST(KerasConformance, LayersRunByKeras) {
  static constexpr Engine kTwo[] = {Engine::evaluator, Engine::native_f32};
  std::set<std::string> compiled;
  expect_all("layers_run", 161, [&](const Json& test) {
    const bool is_first = compiled.insert(test.at("layer").get<std::string>()).second;
    return std::span<const Engine>(kTwo, is_first ? 2 : 1);
  });
}

}  // namespace
}  // namespace tarn::conformance
