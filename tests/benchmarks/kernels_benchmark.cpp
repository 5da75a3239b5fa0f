// Speed of generated kernels: products of the shapes of the performance page, and elementwise loops. One thread.
//
//   cmake --preset release -DTARN_BENCHMARKS=ON && ninja -C build/release kernels_benchmark &&
//   build/release/bin/kernels_benchmark
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "codegen/native.h"

namespace tarn {
namespace {

struct FreeBytes {
  void operator()(void* memory) const { std::free(memory); }
};
using Bytes = std::unique_ptr<float, FreeBytes>;

Bytes make_floats(std::uint64_t bytes) {
  const std::uint64_t size = (bytes + 4095) / 4096 * 4096;
  Bytes floats(static_cast<float*>(std::aligned_alloc(64, size)));
  for (std::uint64_t i = 0; i < size / 4; ++i) floats.get()[i] = static_cast<float>(i % 17) / 16;
  return floats;
}

struct Compiled {
  Program program;
  std::unique_ptr<NativeProgram> native;
  Bytes state, workspace;
};

// The kernels as an `init` function on tensors of the given numbers of elements.
Compiled compile(KernelPlan plan, const std::vector<std::int64_t>& tensors) {
  Compiled compiled;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TensorInfo tensor;
    tensor.name = "t" + std::to_string(i);
    tensor.type.shape = {tensors[i]};
    compiled.program.tensors.push_back(tensor);
  }
  assign_offsets(compiled.program);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    plan.buffers.push_back({"", Space::state, 0, compiled.program.tensors[i].offset, DType::f32, {tensors[i]}, {1}});
  }
  ProgramPlan plans;
  plans.plans["adapt"] = std::move(plan);
  auto native = compile_native(compiled.program, plans, {}, {"adapt"});
  compiled.native = std::move(native.value());
  compiled.state = make_floats(state_bytes(compiled.program));
  compiled.workspace = make_floats(compiled.native->workspace_bytes());
  return compiled;
}

void run(const Compiled& compiled) {
  const void* const none[] = {nullptr};
  compiled.native->adapt()(compiled.state.get(), compiled.workspace.get(), none, nullptr, 1, nullptr);
}

Value load(BufferId buffer, std::vector<std::int64_t> strides) {
  Value value;
  value.kind = Value::Kind::load;
  value.access.buffer = buffer;
  value.access.at.strides = std::move(strides);
  return value;
}

Store store(ValueId value, BufferId buffer, std::vector<std::int64_t> strides) {
  Store result;
  result.value = value;
  result.access.buffer = buffer;
  result.access.at.strides = std::move(strides);
  return result;
}

enum Layout : std::int64_t { kPlain, kLeftTransposed, kRightTransposed, kDots };

// product[rows, columns] over inner.
void product(benchmark::State& state) {
  const std::int64_t rows = state.range(0), columns = state.range(1), inner = state.range(2), layout = state.range(3);
  ContractionKernel kernel;
  kernel.rows = {rows, false};
  kernel.columns = {columns, false};
  kernel.inner = {inner, false};
  kernel.a =
      load(0, layout == kLeftTransposed ? std::vector<std::int64_t>{1, rows} : std::vector<std::int64_t>{inner, 1})
          .access;
  kernel.b =
      load(1, layout >= kRightTransposed ? std::vector<std::int64_t>{1, inner} : std::vector<std::int64_t>{columns, 1})
          .access;
  if (layout == kDots) kernel.form = ContractionKernel::Form::inner;
  Value value;
  value.kind = Value::Kind::product;
  kernel.epilogue.values = {value};
  kernel.epilogue.stores = {store(0, 2, {columns, 1})};
  KernelPlan plan;
  plan.kernels = {{"product", kernel}};
  const Compiled compiled = compile(plan, {rows * inner, inner * columns, rows * columns});
  for (auto _ : state) run(compiled);
  const double flops = 2.0 * static_cast<double>(rows * columns * inner);
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(product)
    ->Args({128, 128, 784, kPlain})
    ->Args({784, 128, 128, kLeftTransposed})
    ->Args({128, 10, 128, kPlain})
    ->Args({128, 10, 128, kLeftTransposed})
    ->Args({128, 128, 10, kPlain})
    ->Args({128, 512, 784, kPlain})
    ->Args({128, 512, 512, kPlain})
    ->Args({128, 512, 512, kRightTransposed})
    ->Args({512, 512, 128, kLeftTransposed})
    ->Args({256, 2048, 2048, kPlain})
    ->Args({1, 512, 784, kPlain})
    ->Args({32, 20, 5, kPlain})
    ->Args({5, 20, 32, kLeftTransposed})
    ->Args({128, 10, 784, kDots});

// y = op(x) over a number of elements that stays in the first-level cache.
void elementwise(benchmark::State& state, Op op) {
  const std::int64_t count = 2048;
  LoopKernel kernel;
  kernel.axes = {{count, false}};
  kernel.reduced = {false};
  Value value;
  value.op = op;
  value.operands = {0};
  kernel.body.values = {load(0, {1}), value};
  kernel.body.stores = {store(1, 1, {1})};
  KernelPlan plan;
  plan.kernels = {{"loop", kernel}};
  const Compiled compiled = compile(plan, {count, count});
  for (auto _ : state) run(compiled);
  state.counters["elements/ns"] =
      benchmark::Counter(static_cast<double>(count) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_CAPTURE(elementwise, exp, Op::exp);
BENCHMARK_CAPTURE(elementwise, log, Op::log);
BENCHMARK_CAPTURE(elementwise, tanh, Op::tanh);
BENCHMARK_CAPTURE(elementwise, sigmoid, Op::sigmoid);
BENCHMARK_CAPTURE(elementwise, neg, Op::neg);

}  // namespace
}  // namespace tarn

BENCHMARK_MAIN();
