// What `tarn compile` writes gives the bits of the code in memory, and touches no memory but what the header of the
// model says that it needs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "runtime/session/session.h"
#include "tests/driver/compile_test_support.h"
#include "tests/support/compiler/cpus.h"

namespace tarn {

std::unique_ptr<Session> session_of(const std::string& path, std::uint64_t seed, const std::string& cpu) {
  Sources sources;
  ModelOptions options;
  options.codegen.cpu = cpu;
  Result<std::shared_ptr<Model>> model = Model::compile(path, options, {"init"}, sources);
  if (!model) throw std::runtime_error(format(model.error(), sources));
  return std::make_unique<Session>(*model, seed);
}

namespace {

template <class T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_metrics(std::string& bytes, const MetricValues& metrics) {
  for (const auto& values : metrics.values) {
    for (double value : values) append(bytes, static_cast<float>(value));
  }
}

}  // namespace

std::string bytes_of_code_in_memory(const std::string& path, const std::string& cpu, std::size_t steps) {
  const std::unique_ptr<Session> session = session_of(path, 7, cpu);
  const Program& program = session->program();
  const auto batch = static_cast<std::size_t>(program.settings.batch), rows = 2 * batch + 3;
  const auto x_size = static_cast<std::size_t>(element_count(program.inputs[0].type.shape));
  const auto t_size = static_cast<std::size_t>(element_count(program.inputs[1].type.shape));
  std::vector<float, AlignedAllocator<float>> x(rows * x_size), t(rows * t_size);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 64) / 64.0F - 0.25F;
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = i % t_size == i / t_size % t_size ? 1.0F : 0.0F;
  const Rows all{{x.data(), t.data()}, rows};
  std::string bytes;
  MetricValues metrics;
  for (std::size_t i = 0; i < steps; ++i) {
    const std::size_t count = 1 + i % batch, first = i % 3 == 0 ? 0 : rows - count;
    EXPECT_EQ(session->train(all.slice(program, first, first + count), nullptr, metrics), Outcome::done);
    append(bytes, static_cast<float>(metrics.loss()));
  }
  std::vector<std::uint32_t, AlignedAllocator<std::uint32_t>> order(rows);
  for (std::size_t i = 0; i < rows; ++i) order[i] = static_cast<std::uint32_t>(rows - 1 - i);
  EXPECT_EQ(session->train(all, order.data(), metrics), Outcome::done);
  // The training loop counts epochs.
  session->set_scalar("epoch", 1);
  append_metrics(bytes, metrics);
  EXPECT_EQ(session->evaluate(all, metrics), Outcome::done);
  append_metrics(bytes, metrics);
  std::vector<Array> outputs;
  EXPECT_EQ(session->predict(all, outputs), Outcome::done);
  bytes.append(reinterpret_cast<const char*>(outputs[0].data.data()), outputs[0].data.size());
  bytes.append(reinterpret_cast<const char*>(session->state().data()), session->state().size());
  return bytes;
}

void Compile::expect_results(const std::string& expected) const {
  const std::string actual = read_text(folder_ / "results");
  // The state of the compiled model may have room for temporaries of `init` behind it, which is left empty.
  ASSERT_GE(actual.size(), expected.size());
  EXPECT_EQ(actual.find_first_not_of('\0', expected.size()), std::string::npos);
  const auto differs = std::mismatch(expected.begin(), expected.end(), actual.begin()).first;
  EXPECT_TRUE(differs == expected.end()) << "at byte " << differs - expected.begin() << " of " << expected.size();
}

void Compile::expect_bits_of_code_in_memory(const std::string& model, const std::string& cpu, std::size_t steps) {
  SCOPED_TRACE(model + " " + cpu);
  // For one thread as for several, whose bits are the same.
  const Finished compiled = tarn(
      fmt::format("compile '{}' -o m.o --prefix m {}{}", path_of(model), cpu.empty() ? "" : "--threads 3 --cpu ", cpu));
  ASSERT_EQ(compiled.status, 0) << compiled.output;
  const Finished built = in_folder(
      fmt::format("cc -std=c99 -Wall -Wextra -Wpedantic -Werror -DSTEPS={} -I. '{}/tests/data/compiled_model.c' m.o -o "
                  "program && ./program results && ./program others at_front && cmp results others",
                  steps, test::source_folder().string()));
  ASSERT_EQ(built.status, 0) << built.output;
  expect_results(bytes_of_code_in_memory(path_of(model), cpu, steps));
}

namespace {

// The narrowest vectors without and the wider ones with fused multiply-add; masks, and none; every graph there is.
TEST_F(Compile, ACProgramGetsTheBitsOfTheCodeInMemory) {
  const std::pair<std::string, std::string> cases[] = {
      {"iris", ""},          {"sums", ""}, {"deep", ""},  {"deep", "x86-64"},  {"iris", "x86-64-v3"},
      {"deep", "x86-64-v3"}, {"wide", ""}, {"image", ""}, {"image", "x86-64"}, {"image", "x86-64-v3"}};
  for (const auto& [model, cpu] : cases) {
    if (test::runs_here(cpu)) expect_bits_of_code_in_memory(model, cpu);
  }
}

// The gradient of the first layer is a product that sums over the 3,000 or 2,500 units of the second: panels of its
// right operand are as wide as a tile, and the last one is narrower.
TEST_F(Compile, ProductsStayInTheirOperands) {
  for (const auto& [units, outputs] : {std::pair(70, 3000), std::pair(100, 2500)}) {
    test::write_text(folder_ / "narrow.tarn",
                     fmt::format("model narrow {{\n  input x[40]\n  output y = x |> dense({}, relu) |> dense({})\n}}\n"
                                 "train {{\n  target t[{}]\n  loss mean_squared_error(y, t)\n  optimizer sgd(lr = "
                                 "0.01)\n  batch 40\n}}\n",
                                 units, outputs, outputs));
    for (const std::string& cpu : test::cpus()) expect_bits_of_code_in_memory("narrow", cpu, 40);
  }
}

// One layer behind the other, of sizes around those of vectors, tiles, panels and blocks.
TEST_F(Compile, RandomModelsStayInTheirMemory) {
  constexpr unsigned kModels = 12;
  for (unsigned seed = 1; seed <= kModels; ++seed) {
    std::mt19937 engine(seed);
    const auto one_of = [&](const std::vector<int>& numbers) { return numbers[engine() % numbers.size()]; };
    const auto width = [&] {
      return std::max(one_of({1, 4, 8, 16, 24, 32, 64, 70, 100, 128}) - 1 + one_of({0, 1, 2}), 1);
    };
    const int inputs = engine() % 4 == 0 ? one_of({300, 511, 2049, 2100}) : width(), outputs = width();
    std::string layers;
    for (unsigned layer = engine() % 3; layer > 0; --layer) {
      const char* const activations[] = {"tanh", "relu", "sigmoid"};
      layers += fmt::format("dense({}, {}) |> ", engine() % 6 == 0 ? one_of({257, 2050}) : width(),
                            activations[engine() % 3]);
    }
    const char* const optimizers[] = {"sgd(lr = 0.01)", "adam(lr = 0.01)", "sgd(lr = 0.01, momentum = 0.5)"};
    const std::string text = fmt::format(
        "model random {{\n  input x[{}]\n  output y = x |> {}dense({})\n}}\ntrain {{\n  target t[{}]\n  loss "
        "mean_squared_error(y, t)\n  metric mean_absolute_error(y, t)\n  optimizer {}\n  batch {}\n}}\n",
        inputs, layers, outputs, outputs, optimizers[engine() % 3], one_of({1, 3, 7, 16, 33, 40}));
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, text));
    test::write_text(folder_ / "random.tarn", text);
    expect_bits_of_code_in_memory("random", test::cpus()[seed % test::cpus().size()], 43);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tarn
