// See codegen_test_support.h.
#include "tests/support/compiler/codegen_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "passes/plan/interpreter.h"

namespace tarn::testing {

void move_outputs_to_arena(KernelPlan& plan, std::int64_t max_batch) {
  std::vector<std::uint64_t> sizes;
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::output) continue;
    sizes.resize(std::max<std::size_t>(sizes.size(), buffer.index + 1));
    const auto elements = static_cast<std::uint64_t>(element_count(with_batch(buffer.shape, max_batch)));
    sizes[buffer.index] = std::max(sizes[buffer.index], buffer.offset + elements * size_of(buffer.dtype));
  }
  std::vector<std::uint64_t> starts;
  for (const std::uint64_t size : sizes) {
    starts.push_back(plan.arena_bytes);
    plan.arena_bytes += aligned(size);
  }
  for (Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::output) continue;
    buffer.space = Space::arena;
    buffer.offset += starts[buffer.index];
  }
}

const std::vector<std::string>& cpus() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> names = test::cpus();
    const Target native = *target_of({});
    if (native.vector_bytes < 64 && native.has_fma) names.emplace_back(kWideVectors);
    return names;
  }();
  return list;
}

CodegenOptions options_for(const std::string& cpu) {
  CodegenOptions options;
  options.wide_vectors = cpu == kWideVectors;
  options.cpu = options.wide_vectors ? "native" : cpu;
  options.verify = true;
  return options;
}

std::vector<double> random_numbers(std::uint64_t seed, std::size_t count, DType dtype, double limit) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> distribution(-limit, limit);
  std::vector<double> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = distribution(engine);
    switch (dtype) {
      case DType::f32:
        numbers.push_back(static_cast<float>(x));
        break;
      case DType::f64:
        numbers.push_back(x);
        break;
      case DType::i32:
        numbers.push_back(std::round(x));
        break;
      case DType::boolean:
        numbers.push_back(x > 0 ? 1 : 0);
        break;
    }
  }
  return numbers;
}

namespace {

void expect_near(const HostTensor& actual, const HostTensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(actual.data.size(), expected.data.size()) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double a = actual.data[i], e = expected.data[i];
    const bool same = a == e || (std::isnan(a) && std::isnan(e)) || std::fabs(a - e) <= tolerance * (1 + std::fabs(e));
    ASSERT_TRUE(same) << what << ": element " << i << " is " << a << ", expected " << e;
  }
}

}  // namespace

void expect_as_interpreted(const HandPlan& hand, std::int64_t batch, double tolerance, const std::string& what) {
  EvaluationContext context = hand.context;
  context.batch = batch;
  for (const InputInfo& input : hand.program.inputs) {
    HostTensor& values = context.inputs.at(input.name);
    if (values.shape.size() != input.type.shape.size() + 1) continue;
    values.shape.front() = batch;
    values.data.resize(static_cast<std::size_t>(element_count(values.shape)));
  }
  const Result<PlanOutcome> expected = interpret(hand.plan, hand.program, context);
  ASSERT_TRUE(expected.has_value()) << what << ": " << expected.error().front().message;
  for (const std::string& cpu : cpus()) {
    const NativeRun run = run_native(hand, options_for(cpu), batch);
    const std::string where = fmt::format("{} on {}, batch {}", what, cpu, batch);
    ASSERT_EQ(run.results.size(), expected->results.size()) << where;
    for (std::size_t i = 0; i < run.results.size(); ++i) {
      expect_near(run.results[i], expected->results[i], tolerance, fmt::format("{}, result {}", where, i));
    }
    for (const auto& [name, values] : expected->tensors) {
      expect_near(run.tensors.at(name), values, tolerance, fmt::format("{}, tensor {}", where, name));
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

std::shared_ptr<Model> compiled_model(const std::string& text, const std::string& cpu, DType float_type) {
  Sources sources;
  ModelOptions options;
  options.codegen = options_for(cpu);
  options.float_type = float_type;
  auto model = Model::compile_text("model.tarn", text, options, {"init"}, sources);
  EXPECT_TRUE(model.has_value()) << (model ? "" : format(model.error(), sources));
  return model ? *model : nullptr;
}

}  // namespace tarn::testing
