// The functions of a program around their kernels: batches, the order of rows, the stop flag, the guard, chunks of
// predictions, the report, and what is printed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "codegen/object/code_key.h"
#include "passes/tactics/tiling.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/guarded_arrays.h"
#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn::testing {
namespace {

// A program with one input x[2] and one target t[1] (in rows of 8 and of 4 bytes), a state `total` and a metric `seen`.
// train: loss = sum of x over the batch, guarded; then total += loss * t[first row], seen += N. predict: y = 2 x.
struct Counting {
  Program program;
  ProgramPlan plan;
};

Buffer buffer(const char* name, Space space, std::uint32_t index, std::uint64_t offset, DType dtype, Shape shape) {
  return {name, space, index, offset, dtype, shape, row_major_strides(shape)};
}

KernelPlan tiled(KernelPlan plan) {
  choose_tilings(plan, *target_of(options_for("native")));
  return plan;
}

KernelPlan training_plan(const Program& program) {
  KernelPlan plan;
  plan.max_batch = 4;
  plan.arena_bytes = 64;
  plan.buffers = {buffer("x", Space::input, 0, 0, DType::f32, {kBatch, 2}),
                  buffer("t", Space::input, 1, 0, DType::f32, {kBatch, 1}),
                  buffer("loss", Space::arena, 0, 0, DType::f32, {}),
                  buffer("total", Space::state, 0, program.tensors[0].offset, DType::f64, {}),
                  buffer("seen", Space::accumulators, 0, program.tensors[1].offset, DType::f64, {})};
  LoopKernel loss;
  loss.axes = {{2, true}};
  loss.reduced = {true};
  loss.body.values = {load(0, {1}, DType::f32)};
  loss.reductions = {{Op::reduce_sum, 0, DType::f32}};
  loss.tail.values = {simple(Value::Kind::reduced, DType::f32)};
  loss.tail.stores = {{0, at(2, {0}), false}};
  LoopKernel update;
  update.body.values = {load(2, {}, DType::f32),
                        load(1, {}, DType::f32),
                        operation(Op::mul, DType::f32, {0, 1}),
                        operation(Op::convert, DType::f64, {2}),
                        load(3, {}, DType::f64),
                        operation(Op::add, DType::f64, {3, 4}),
                        load(4, {}, DType::f64),
                        simple(Value::Kind::batch_size, DType::f64),
                        operation(Op::add, DType::f64, {6, 7})};
  update.body.stores = {{5, at(3, {}), false}, {8, at(4, {}), false}};
  plan.kernels = {{"loss", loss}, {"guard", FiniteGuard{2}}, {"update", update}};
  return tiled(std::move(plan));
}

// The same with the samples of x copied side by side first.
KernelPlan copying_plan(const Program& program) {
  KernelPlan plan = training_plan(program);
  plan.arena_bytes = 128;
  Buffer samples = buffer("samples of x", Space::arena, 0, 64, DType::f32, {kBatch, 2});
  samples.strides = {1, 4};
  plan.buffers.push_back(samples);
  LoopKernel copy;
  copy.axes = {{1, true}, {2, false}};
  copy.reduced = {false, false};
  copy.body.values = {load(0, {2, 1}, DType::f32)};
  copy.body.stores = {{0, at(5, {1, 4}), false}};
  auto& loss = std::get<LoopKernel>(plan.kernels[0].body);
  loss.axes = copy.axes;
  loss.reduced = {true, true};
  loss.body.values = {load(5, {1, 4}, DType::f32)};
  loss.tail.stores = {{0, at(2, {0, 0}), false}};
  CpuTactics tactics;
  tactics.copy = CpuTactics::Copy::of_samples;
  plan.kernels.insert(plan.kernels.begin(), {"samples of x", copy, 0, tactics});
  return tiled(std::move(plan));
}

KernelPlan prediction_plan() {
  KernelPlan plan;
  plan.max_batch = 4;
  plan.buffers = {buffer("x", Space::input, 0, 0, DType::f32, {kBatch, 2}),
                  buffer("y", Space::output, 0, 0, DType::f32, {kBatch, 2})};
  LoopKernel kernel;
  kernel.axes = {{2, true}};
  kernel.reduced = {false};
  kernel.body.values = {load(0, {1}, DType::f32), operation(Op::add, DType::f32, {0, 0})};
  kernel.body.stores = {{1, at(1, {1}), false}};
  plan.kernels = {{"double", kernel}};
  return tiled(std::move(plan));
}

KernelPlan report_plan(const Program& program) {
  KernelPlan plan;
  plan.buffers = {buffer("seen", Space::accumulators, 0, program.tensors[1].offset, DType::f64, {}),
                  buffer("values", Space::output, 0, 0, DType::f64, {2})};
  LoopKernel kernel;
  kernel.axes = {{2, false}};
  kernel.reduced = {false};
  Value index = simple(Value::Kind::index, DType::f64);
  index.linear = {{1}, 0};
  kernel.body.values = {load(0, {0}, DType::f64), index, operation(Op::add, DType::f64, {0, 1})};
  kernel.body.stores = {{2, at(1, {1}), false}};
  plan.kernels = {{"report", kernel}};
  return tiled(std::move(plan));
}

Counting counting() {
  Counting c;
  c.program.name = "counting";
  c.program.settings.batch = 4;
  InputInfo x, t;
  x.name = "x";
  x.type = {DType::f32, true, {2}};
  t.name = "t";
  t.role = InputRole::target;
  t.type = {DType::f32, true, {1}};
  c.program.inputs = {x, t};
  OutputInfo y;
  y.name = "y";
  y.type = {DType::f32, true, {2}};
  c.program.outputs = {y};
  TensorInfo total, seen;
  total.name = "total";
  total.kind = TensorKind::state;
  total.type = {DType::f64, false, {}};
  seen.name = "seen";
  seen.kind = TensorKind::metric;
  seen.type = {DType::f64, false, {}};
  c.program.tensors = {total, seen};
  assign_offsets(c.program);
  c.plan.accumulator_bytes = 64;
  c.plan.plans["train"] = training_plan(c.program);
  c.plan.plans["evaluate"] = training_plan(c.program);
  c.plan.plans["predict"] = prediction_plan();
  c.plan.plans["report"] = report_plan(c.program);
  return c;
}

struct Memory {
  Memory(std::uint64_t state_size, std::uint64_t workspace_size)
      : state(state_size, std::byte{0}), workspace(workspace_size, std::byte{0}) {}
  GuardedVector<std::byte> state, workspace;
  double& total(const Program& program) { return *reinterpret_cast<double*>(state.data() + program.tensors[0].offset); }
  double& seen() { return *reinterpret_cast<double*>(workspace.data()); }
};

class CodegenFunctions : public ::testing::Test {
 protected:
  void SetUp() override {
    counted = counting();
    auto compiled = compile_native(counted.program, counted.plan, options_for("native"), {"train", "predict"});
    ASSERT_TRUE(compiled.has_value()) << compiled.error().front().message;
    native = std::move(*compiled);
    memory.emplace_back(state_bytes(counted.program), native->workspace_bytes());
    for (int i = 0; i < 10; ++i) {
      x.insert(x.end(), {static_cast<float>(i), 0.5F});
      t.push_back(static_cast<float>(1 << i));
    }
    arrays = {x.data(), t.data()};
  }
  Outcome train(const std::uint32_t* order, std::uint64_t rows) {
    return static_cast<Outcome>(
        native->train()(memory[0].state.data(), memory[0].workspace.data(), arrays.data(), order, rows, &control));
  }

  Counting counted;
  std::unique_ptr<NativeProgram> native;
  std::vector<Memory> memory;
  GuardedVector<float> x, t;
  std::vector<const void*> arrays;
  Control control;
};

// Sum over the batches of (sum of x) * t[first row].
TEST_F(CodegenFunctions, BatchesInThePlaceOfTheArrays) {
  EXPECT_EQ(train(nullptr, 10), Outcome::done);
  EXPECT_EQ(memory[0].total(counted.program), (6 + 2) * 1 + (22 + 2) * 16 + (17 + 1) * 256);
  EXPECT_EQ(memory[0].seen(), 10);
  EXPECT_EQ(control.batches_done, 3U);
  GuardedVector<double> values(2);
  native->report()(memory[0].workspace.data(), values.data());
  EXPECT_EQ(values[0], 10);
  EXPECT_EQ(values[1], 11);
}

TEST_F(CodegenFunctions, RowsAreGatheredByTheOrder) {
  const GuardedVector<std::uint32_t> order = {9, 3, 3, 0, 5, 1};
  EXPECT_EQ(train(order.data(), 6), Outcome::done);
  EXPECT_EQ(memory[0].total(counted.program), (15 + 2) * 512 + (6 + 1) * 32);
  EXPECT_EQ(memory[0].seen(), 6);
}

TEST_F(CodegenFunctions, SamplesAreCopiedFromWhereTheyAre) {
  counted.plan.plans["train"] = copying_plan(counted.program);
  auto compiled = compile_native(counted.program, counted.plan, options_for("native"), {"train"});
  ASSERT_TRUE(compiled.has_value()) << compiled.error().front().message;
  native = std::move(*compiled);
  memory.front() = Memory(state_bytes(counted.program), native->workspace_bytes());
  EXPECT_EQ(train(nullptr, 10), Outcome::done);
  EXPECT_EQ(memory[0].total(counted.program), (6 + 2) * 1 + (22 + 2) * 16 + (17 + 1) * 256);
  memory[0].total(counted.program) = 0;
  const GuardedVector<std::uint32_t> order = {9, 3, 3, 0, 5, 1};
  EXPECT_EQ(train(order.data(), 6), Outcome::done);
  EXPECT_EQ(memory[0].total(counted.program), (15 + 2) * 512 + (6 + 1) * 32);
}

TEST_F(CodegenFunctions, NoRowsAndTheStopFlag) {
  EXPECT_EQ(train(nullptr, 0), Outcome::done);
  control.stop = 1;
  EXPECT_EQ(train(nullptr, 10), Outcome::stopped);
  EXPECT_EQ(control.batches_done, 0U);
  EXPECT_EQ(memory[0].total(counted.program), 0);
}

TEST_F(CodegenFunctions, StepWhoseLossIsNotFiniteStoresNothing) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    x[9] = bad;  // row 4, in the second batch
    control = {};
    memory[0].total(counted.program) = 0;
    memory[0].seen() = 0;
    EXPECT_EQ(train(nullptr, 10), Outcome::not_finite);
    EXPECT_EQ(control.batches_done, 1U);
    EXPECT_EQ(memory[0].total(counted.program), (6 + 2) * 1);
    EXPECT_EQ(memory[0].seen(), 4);
  }
}

TEST_F(CodegenFunctions, EvaluationGoesOnWhereTheLossIsNotFinite) {
  x[9] = std::numeric_limits<float>::quiet_NaN();
  const auto outcome = static_cast<Outcome>(
      native->evaluate()(memory[0].state.data(), memory[0].workspace.data(), arrays.data(), nullptr, 10, &control));
  EXPECT_EQ(outcome, Outcome::done);
  EXPECT_EQ(memory[0].seen(), 10);
  EXPECT_TRUE(std::isnan(memory[0].total(counted.program)));
}

// Chunks of the batch size, without a control, and without the target's array.
TEST_F(CodegenFunctions, PredictionOfAnyNumberOfRows) {
  for (std::uint64_t rows = 0; rows <= 10; ++rows) {
    GuardedVector<float> y(2 * rows);
    void* const outputs[] = {y.data()};
    const void* const inputs[] = {x.data(), nullptr};
    EXPECT_EQ(native->predict()(memory[0].state.data(), memory[0].workspace.data(), inputs, outputs, rows, nullptr), 0);
    for (std::uint64_t i = 0; i < 2 * rows; ++i) EXPECT_EQ(y[i], 2 * x[i]);
  }
}

TEST_F(CodegenFunctions, FunctionsThatThereAreNot) {
  EXPECT_EQ(native->init(), nullptr);
  EXPECT_EQ(native->adapt(), nullptr);
}

TEST_F(CodegenFunctions, CompilesOnceForAllThreads) {
  std::vector<std::thread> threads;
  std::vector<EvaluateFunction> found(8);
  for (std::size_t i = 0; i < found.size(); ++i) threads.emplace_back([&, i] { found[i] = native->evaluate(); });
  for (std::thread& thread : threads) thread.join();
  for (const EvaluateFunction function : found) EXPECT_EQ(function, found[0]);
  EXPECT_NE(found[0], nullptr);
}

// Levels of LLVM's optimizer change no bit; fast maths may, but not where sums are exact.
TEST_F(CodegenFunctions, EveryLevel) {
  for (const OptimizationLevel level :
       {OptimizationLevel::none, OptimizationLevel::less, OptimizationLevel::standard}) {
    for (const bool fast_math : {false, true}) {
      CodegenOptions options = options_for("native");
      options.level = level;
      options.fast_math = fast_math;
      auto compiled = compile_native(counted.program, counted.plan, options, {"train"});
      ASSERT_TRUE(compiled.has_value());
      native = std::move(*compiled);
      memory[0].total(counted.program) = 0;
      EXPECT_EQ(train(nullptr, 10), Outcome::done);
      EXPECT_EQ(memory[0].total(counted.program), (6 + 2) * 1 + (22 + 2) * 16 + (17 + 1) * 256);
    }
  }
}

// A store in memory that counts.
class MapStore : public ObjectStore {
 public:
  std::optional<std::string> find(const std::string& key) override {
    const std::scoped_lock lock(mutex);
    const auto known = objects.find(key);
    if (known == objects.end()) return std::nullopt;
    ++hits;
    return known->second;
  }
  void keep(const std::string& key, std::string_view object) override {
    const std::scoped_lock lock(mutex);
    objects[key] = std::string(object);
  }
  std::mutex mutex;
  std::map<std::string, std::string> objects;
  int hits = 0;
};

TEST_F(CodegenFunctions, CodeComesFromTheStoreTheSecondTime) {
  CodegenOptions options = options_for("native");
  const auto store = std::make_shared<MapStore>();
  options.store = store;
  std::size_t kept = 0;
  for (int run = 0; run < 2; ++run) {
    auto compiled = compile_native(counted.program, counted.plan, options, {"train", "predict"});
    ASSERT_TRUE(compiled.has_value());
    native = std::move(*compiled);
    memory[0].total(counted.program) = 0;
    EXPECT_EQ(train(nullptr, 10), Outcome::done);
    EXPECT_EQ(memory[0].total(counted.program), (6 + 2) * 1 + (22 + 2) * 16 + (17 + 1) * 256);
    if (run == 0) kept = store->objects.size();
  }
  EXPECT_GT(kept, 0U);
  EXPECT_EQ(store->objects.size(), kept);
  EXPECT_EQ(store->hits, static_cast<int>(kept));
}

// Whatever changes the code changes the key.
TEST_F(CodegenFunctions, KeysOfCode) {
  std::set<std::string> keys;
  std::size_t count = 0;
  const auto add = [&](const CodegenOptions& options, const Counting& c, const std::vector<std::string>& names) {
    keys.insert(code_key(c.program, c.plan, names, options));
    EXPECT_EQ(keys.size(), ++count);
  };
  const CodegenOptions plain = options_for("native");
  add(plain, counted, {"train"});
  add(plain, counted, {"predict"});
  add(plain, counted, {"train", "predict"});
  add(options_for("x86-64-v3"), counted, {"train"});
  CodegenOptions options = plain;
  options.features = "-avx512f";
  add(options, counted, {"train"});
  options = plain;
  options.fast_math = true;
  add(options, counted, {"train"});
  options = plain;
  options.level = OptimizationLevel::none;
  add(options, counted, {"train"});
  options = plain;
  options.count_ticks = true;
  add(options, counted, {"train"});
  options = plain;
  options.wide_vectors = true;
  add(options, counted, {"train"});
  const auto change = [&](const std::function<void(Counting&)>& edit) {
    Counting changed = counted;
    edit(changed);
    add(plain, changed, {"train"});
  };
  change([](Counting& c) { c.program.tensors[0].offset += 64; });
  change([](Counting& c) { c.program.inputs[0].type.shape.push_back(1); });
  change([](Counting& c) { c.plan.accumulator_bytes += 64; });
  change([](Counting& c) { c.plan.plans["train"].buffers[0].offset += 64; });
  change([](Counting& c) { c.plan.plans["train"].max_batch += 1; });
  change([](Counting& c) { c.plan.plans["train"].constants.resize(64); });
  change([](Counting& c) { c.plan.plans["train"].kernels.pop_back(); });
  // Moves the arena.
  change([](Counting& c) {
    c.plan.plans["evaluate"] = c.plan.plans["train"];
    c.plan.plans["evaluate"].max_batch += 1;
  });
  change([](Counting& c) {
    for (Kernel& kernel : c.plan.plans["train"].kernels) {
      if (auto* const loop = std::get_if<LoopKernel>(&kernel.body)) loop->body.values.front().number += 1;
    }
  });
  EXPECT_EQ(keys.count(code_key(counted.program, counted.plan, {"train"}, plain)), 1U) << "equal inputs, equal keys";
  EXPECT_EQ(keys.count(""), 0U) << "the linker left no build id";
}

TEST_F(CodegenFunctions, Prints) {
  const auto text = print_llvm(counted.program, counted.plan, "train", options_for("native"));
  ASSERT_TRUE(text.has_value());
  EXPECT_NE(text->find("define i32 @tarn_train(ptr %state, ptr %workspace"), std::string::npos);
  EXPECT_NE(text->find("@train.update"), std::string::npos);
  const auto assembly = print_assembly(counted.program, counted.plan, "train", options_for("native"));
  ASSERT_TRUE(assembly.has_value());
  EXPECT_NE(assembly->find("tarn_train:"), std::string::npos);
  EXPECT_FALSE(print_llvm(counted.program, counted.plan, "adapt", options_for("native")).has_value());
}

TEST(CodegenMachine, UnknownCpuOrTargetIsTheUsersError) {
  CodegenOptions options;
  options.cpu = "i8086";
  const Result<Target> cpu = target_of(options);
  ASSERT_FALSE(cpu.has_value());
  EXPECT_NE(cpu.error().front().message.find("i8086"), std::string::npos);
  options = {};
  options.triple = "z80-none-none";
  EXPECT_FALSE(target_of(options).has_value());
}

// LLVM ends the process for these.
TEST(CodegenMachine, ACpuOfFewerBitsIsTheUsersError) {
  CodegenOptions options;
  options.cpu = "i386";
  const Result<Target> target = target_of(options);
  ASSERT_FALSE(target.has_value());
  EXPECT_NE(target.error().front().message.find("'i386' has 32 bits"), std::string::npos);
}

// Nothing else stands between a program that names a CPU and an illegal instruction. What this machine lacks of Granite
// Rapids beside its vectors (matrices, FP16) is left out.
TEST(CodegenMachine, CodeInMemoryIsOfInstructionsOfThisMachine) {
  const auto counted = counting();
  const bool is_wide = runs_here("x86-64-v4");
  for (const auto& [cpu, runs] : {std::pair("x86-64", true), {"x86-64-v4", is_wide}, {"graniterapids", is_wide}}) {
    const auto compiled = compile_native(counted.program, counted.plan, options_for(cpu), {"train"});
    EXPECT_EQ(compiled.has_value(), runs) << cpu;
    if (!compiled) {
      EXPECT_NE(compiled.error().front().message.find("does not run on this machine"), std::string::npos);
    }
  }
}

// So that any machine shows what a lesser one does.
TEST(CodegenMachine, ThisOneIsTakenForTheCpuThatTheEnvironmentNames) {
  const auto tarn = [](const std::string& environment, const std::string& arguments) {
    return test::run(fmt::format("{} '{}' {}", environment, test::driver(), arguments));
  };
  const test::Finished version = tarn("TARN_CPU=x86-64-v2", "--version");
  EXPECT_NE(version.output.find("CPU x86-64-v2\n"), std::string::npos) << version.output;
  EXPECT_NE(version.output.find(" sse4.2"), std::string::npos) << version.output;
  EXPECT_EQ(version.output.find(" avx"), std::string::npos) << version.output;
  const auto code = [&](const std::string& environment, const std::string& arguments) {
    const test::Finished shown =
        tarn(environment, fmt::format("show '{}' --stage asm {}", test::example("iris.tarn"), arguments));
    EXPECT_EQ(shown.status, 0) << shown.output;
    return shown.output;
  };
  EXPECT_EQ(code("TARN_CPU=x86-64", ""), code("", "--cpu x86-64"));
  const test::Finished unknown =
      tarn("TARN_CPU=x86-65", fmt::format("show '{}' --stage asm", test::example("iris.tarn")));
  EXPECT_EQ(unknown.status, 1);
  EXPECT_EQ(unknown.output.find("error: "), 0U) << unknown.output;
  EXPECT_NE(unknown.output.find("no CPU 'x86-65'"), std::string::npos) << unknown.output;
}

TEST(CodegenMachine, VectorsOfTheCpus) {
  EXPECT_EQ(target_of(options_for("x86-64"))->vector_bytes, 16);
  EXPECT_FALSE(target_of(options_for("x86-64"))->has_fma);
  EXPECT_EQ(target_of(options_for("x86-64-v3"))->vector_bytes, 32);
  EXPECT_TRUE(target_of(options_for("x86-64-v3"))->has_fma);
  EXPECT_EQ(target_of(options_for("x86-64-v4"))->vector_bytes, 64);
  EXPECT_EQ(target_of(options_for("x86-64-v4"))->vector_registers, 32);
}

}  // namespace
}  // namespace tarn::testing
