// Runs of training of convolutional networks, made with Keras 3.15 in double precision
// (tests/data/keras/golden_layers/fit_layers.json), step by step: the loss of each before its update, and weights and
// predictions at the end. Both compute in f64, in different orders; what rounding makes of that in 40 steps stays far
// below 1e-9.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "tests/conformance/layer_spelling.h"

namespace tarn::conformance {
namespace {

constexpr double kTolerance = 1e-9;

struct Run {
  std::string body;                 // of the model, up to y
  std::vector<std::string> layers;  // those with weights, in order
};

// Layers in a row.
Run run_of_sequence(const Json& layers) {
  Run run;
  std::string pipe = "x";
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Json test = {
        {"layer", layers[i].at("class")}, {"config", layers[i].at("config")}, {"defaults", Json::object()}};
    const PreludeName* definition = definition_of(tarn_name(test.at("layer").get<std::string>()));
    TARN_CHECK(definition != nullptr, "no layer " + test.at("layer").get<std::string>());
    const std::string name = fmt::format("l{}", i);
    run.body += fmt::format("  {} = {}({})\n", name, definition->name, configuration_of(test, *definition, true).text);
    pipe += " |> " + name;
    if (!layer_weights(test).empty()) run.layers.push_back(name);
  }
  run.body += "  y = " + pipe + "\n";
  return run;
}

// What the lines of the case say.
Run wavenet() {
  Run run;
  run.body = "  first = conv1d(3, 1)\n  h = first(x)\n";
  run.layers = {"first"};
  for (const int d : {1, 2, 4}) {
    const std::string gate = "conv1d(3, 2, padding = \"causal\", dilation_rate = ";
    run.body += fmt::format("  f{0} = {1}{0}, activation = tanh)\n  g{0} = {1}{0}, activation = sigmoid)\n", d, gate);
    run.body += fmt::format("  s{0} = conv1d(3, 1)\n  skip{0} = s{0}(f{0}(h) * g{0}(h))\n  h = h + skip{0}\n", d);
    for (const char* layer : {"f", "g", "s"}) run.layers.push_back(fmt::format("{}{}", layer, d));
  }
  run.body += "  last = conv1d(1, 1)\n  y = last(relu(skip1 + skip2 + skip4))\n";
  run.layers.emplace_back("last");
  return run;
}

// The tensors of Keras in order: those of a layer follow each other.
std::vector<std::string> tensors_of(const Json& weights, const std::vector<std::string>& layers) {
  std::vector<std::string> names;
  std::string before;
  std::size_t layer = 0;
  for (const Json& weight : weights) {
    const std::string path = weight.at("name").get<std::string>();
    const std::string prefix = path.substr(0, path.rfind('/'));
    if (!before.empty() && prefix != before) ++layer;
    before = prefix;
    std::string name = path.substr(path.rfind('/') + 1);
    if (name == "moving_variance") name = "moving_var";
    names.push_back(layers.at(layer) + "." + name);
  }
  return names;
}

std::string text_of(const Json& test, const Run& run) {
  const bool sparse = test.at("loss") == "sparse_categorical_crossentropy";
  Json optimizer = test.at("optimizer");
  return fmt::format(
      "model m {{\n  input x{}\n{}  output y\n}}\ntrain {{\n  target t{}\n  loss {}(y, t)\n  optimizer {}({})\n  batch "
      "{}\n}}\n",
      shape_text(test.at("x").at("shape").get<Shape>(), 1), run.body,
      sparse ? "" : shape_text(test.at("y").at("shape").get<Shape>(), 1), test.at("loss").get<std::string>(),
      tarn_name(optimizer.at("class").get<std::string>()), named_arguments(optimizer.at("config")).substr(2),
      test.at("batch_size").get<int>());
}

Data rows_of(const Json& test, std::int64_t begin, std::int64_t end) {
  Data data;
  data.rows = end - begin;
  for (const auto& [name, key] : {std::pair{"x", "x"}, std::pair{"t", "y"}}) {
    const Array all = array_of(test.at(key));
    const std::int64_t size = element_count(all.shape) / all.shape.at(0);
    data.arrays[name] = {all.values.begin() + begin * size, all.values.begin() + end * size};
  }
  return data;
}

Verdict check_run(const Json& test) {
  const std::string name = test.at("test").get<std::string>();
  if (name.find("lstm") != std::string::npos || name.find("gru") != std::string::npos) return {"", "recurrent layers"};
  const bool in_a_row = test.at("model").contains("sequential");
  const Run run = in_a_row ? run_of_sequence(test.at("model").at("sequential")) : wavenet();
  const std::string text = text_of(test, run);
  const std::vector<std::string> names = tensors_of(test.at("weights"), run.layers);
  const std::int64_t rows = test.at("x").at("shape").at(0).get<std::int64_t>(), batch = test.at("batch_size");
  const Json tolerance = {{"abs", kTolerance}, {"rel", kTolerance}};
  for (const Engine engine : {Engine::evaluator, Engine::native_f64}) {
    const auto failed = [&](const std::string& what) {
      return Verdict{fmt::format("{}: {}\n{}", name_of(engine), what, text), ""};
    };
    Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
    if (!model) return failed(model.error().front().message);
    for (std::size_t i = 0; i < names.size(); ++i) (*model)->set_tensor(names[i], numbers_of(test.at("weights")[i]));
    std::vector<double> losses;
    for (std::int64_t step = 0; step < test.at("steps").get<std::int64_t>(); ++step) {
      const std::int64_t begin = step % ((rows + batch - 1) / batch) * batch;
      const Result<double> loss = (*model)->train(rows_of(test, begin, std::min(begin + batch, rows)));
      if (!loss) return failed(loss.error().front().message);
      losses.push_back(*loss);
    }
    std::string what = difference(losses, array_of(test.at("expected_step_loss")).values, tolerance);
    if (!what.empty()) return failed("losses: " + what);
    for (std::size_t i = 0; i < names.size(); ++i) {
      what = difference((*model)->tensor(names[i]), numbers_of(test.at("expected_final_weights")[i]), tolerance);
      if (!what.empty()) return failed(names[i] + ": " + what);
    }
    const Result<std::vector<double>> prediction = (*model)->predict(rows_of(test, 0, rows), "y");
    if (!prediction) return failed(prediction.error().front().message);
    what = difference(*prediction, array_of(test.at("expected_final_prediction")).values, tolerance);
    if (!what.empty()) return failed("prediction: " + what);
  }
  return {};
}

TEST(KerasGoldenLayers, ConvolutionalNetworksTrain) {
  const Account account = run_cases(read_cases("golden_layers/fit_layers"), check_run);
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, 4);
}

}  // namespace
}  // namespace tarn::conformance
