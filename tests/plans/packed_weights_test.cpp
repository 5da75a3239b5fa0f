// Weights packed for prediction: which are, and that prediction from them gives the bits that prediction from the state
// gives, for every vector width, number of samples and number of threads.
#include "passes/plan/kernel_plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "runtime/files/array_values.h"
#include "runtime/session/session.h"
#include "tests/support/compiler/codegen_test_support.h"

namespace tarn {
namespace {

std::string dense_model(int inputs, const std::vector<int>& units) {
  std::string text = fmt::format("model m {{\n  input x[{}]\n  output y = x", inputs);
  for (const int width : units) text += fmt::format(" |> dense({}, tanh, bias_init = uniform(-1, 1))", width);
  return text + fmt::format("\n}}\ntrain {{\n  target t[{}]\n", units.back()) +
         "  loss mean_squared_error(y, t)\n  optimizer sgd(lr = 0.1)\n  batch 32\n}\n";
}

// A row of the table: the bytes of a column group of each tensor that is packed in groups, by name.
std::vector<std::string> groups_of(const Model& model) {
  std::vector<std::string> groups;
  for (const PackedWeights::Tensor& packed : model.plan().packed.tensors) {
    if (!packed.in_groups()) continue;
    for (const TensorInfo& tensor : model.program().tensors) {
      if (tensor.kind != TensorKind::metric && tensor.offset == packed.from) {
        groups.push_back(
            fmt::format("{}: {} x {}", tensor.name, packed.row_bytes / packed.group_bytes, packed.group_bytes));
      }
    }
  }
  return groups;
}

TEST(PackedWeights, LargeMatricesWhoseColumnsFallIntoGroups) {
  struct Case {
    std::string text;
    std::vector<std::string> groups;
  };
  const std::vector<Case> cases = {
      {dense_model(4, {6, 3}), {}},
      // 784 x 512 and 512 x 512; the last one is narrow.
      {dense_model(784, {512, 512, 10}), {"dense_1.kernel: 8 x 256", "dense_2.kernel: 8 x 256"}},
      {dense_model(335, {100, 513}), {"dense_1.kernel: 2 x 200", "dense_2.kernel: 9 x 228"}},
      {dense_model(400, {240}), {"dense_1.kernel: 5 x 192"}},
      // One group as it is; no divisor.
      {dense_model(2000, {64}), {}},
      {dense_model(500, {251}), {}},
      // Of 63 KB.
      {dense_model(126, {128}), {}},
      // What something else reads, too.
      {"model m {\n  input x[256]\n  param w[256, 256] = glorot_uniform\n  output y = x @ w + w[3]\n}", {}},
      // Twice in the same way.
      {"model m {\n  input x[256]\n  param w[256, 256] = glorot_uniform\n  output y = tanh(x @ w) @ w\n}",
       {"w: 4 x 256"}},
  };
  for (const Case& item : cases) {
    SCOPED_TRACE(item.text);
    const auto model = testing::compiled_model(item.text);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(groups_of(*model), item.groups);
    EXPECT_EQ(model->plan().plans.contains("predict_packed"), !item.groups.empty());
    EXPECT_EQ(model->native().predict_packed() != nullptr, !item.groups.empty());
    for (const auto& [name, plan] : model->plan().plans) EXPECT_TRUE(verify(plan).has_value()) << name;
  }
}

// Parts of a shared kernel one after the other, the last one first.
void last_first(void*, std::size_t count, void (*body)(void*, std::size_t), void* argument) {
  while (count > 0) body(argument, --count);
}

Bytes predicted(const Model& model, PredictFunction predict, const Bytes& weights, const Array& x,
                std::uint64_t samples, std::int32_t threads) {
  const Program& program = model.program();
  Bytes y(samples * sample_bytes(program.outputs[0].type));
  Bytes workspace(model.native().workspace_bytes(threads));
  std::vector<const void*> arrays(program.inputs.size());
  arrays[0] = x.data.data();
  void* const outputs[] = {y.data()};
  Control control;
  control.threads = threads;
  if (threads > 1) control.parallel_for = last_first;
  EXPECT_EQ(predict(weights.data(), workspace.data(), arrays.data(), outputs, samples, &control), 0);
  return y;
}

TEST(PackedWeights, PredictTheBitsOfTheState) {
  const std::string twice = R"(model m {
  input x[17, 129]
  output y = x |> dense(128, relu) |> flatten |> dense(3)
})";
  const std::string shared =
      "model m {\n  input x[192]\n  param w[192, 192] = glorot_uniform\n  output y = tanh(x @ w) @ w\n}";
  struct Case {
    std::string text;
    DType type = DType::f32;
  };
  const std::vector<Case> cases = {{dense_model(335, {100, 513, 17, 1, 3, 10})},
                                   {dense_model(784, {512, 128, 10})},
                                   {dense_model(2051, {70, 240})},
                                   {twice},
                                   {shared},
                                   {dense_model(129, {100, 96}), DType::f64}};
  for (const auto& [text, type] : cases) {
    for (const std::string& cpu : testing::cpus()) {
      SCOPED_TRACE(fmt::format("{}\n{}", cpu, text));
      const auto model = testing::compiled_model(text, cpu, type);
      ASSERT_NE(model, nullptr);
      ASSERT_FALSE(groups_of(*model).empty());
      const Session session(model, 5, 1);
      Bytes packed(model->plan().packed.bytes);
      copy_packed(model->plan().packed, session.state(), packed);
      const auto inputs = static_cast<std::uint64_t>(element_count(model->program().inputs[0].type.shape));
      std::vector<double> numbers(70 * inputs);
      for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i * 7919 % 1000) / 500 - 1;
      const Array x = Array::from_doubles(array_type_of(type), {static_cast<std::int64_t>(numbers.size())}, numbers);
      for (const std::uint64_t samples : {1, 2, 3, 4, 5, 13, 16, 31, 64, 70}) {
        const Bytes expected = predicted(*model, model->native().predict(), session.state(), x, samples, 1);
        for (const int threads : {1, 3}) {
          EXPECT_EQ(predicted(*model, model->native().predict_packed(), packed, x, samples, threads), expected)
              << samples << " samples, " << threads << " threads";
        }
      }
    }
  }
}

}  // namespace
}  // namespace tarn
