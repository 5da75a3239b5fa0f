// Speed of generated kernels: products of the shapes of the performance page, and elementwise loops. One thread.
//
//   cmake --preset release -DTARN_BENCHMARKS=ON && ninja -C build/release kernels_benchmark &&
//   build/release/bin/kernels_benchmark
#include <benchmark/benchmark.h>

#include <utility>
#include <vector>

#include "tools/measure/lone_kernel.h"

namespace tarn {
namespace {

LoneKernel compile(KernelBody body, const std::vector<std::int64_t>& tensors) {
  Result<LoneKernel> kernel = LoneKernel::compile(std::move(body), tensors, {});
  TARN_CHECK(kernel.has_value(), "a kernel of the benchmark does not compile");
  return *std::move(kernel);
}

enum Layout : std::int64_t { kPlain, kLeftTransposed, kRightTransposed, kDots };

// product[rows, columns] over inner.
void product(benchmark::State& state) {
  const std::int64_t rows = state.range(0), columns = state.range(1), inner = state.range(2), layout = state.range(3);
  ContractionKernel kernel;
  kernel.rows = {{rows, false}};
  kernel.columns = {{columns, false}};
  kernel.inner = {{inner, false}};
  using Strides = std::vector<std::int64_t>;
  const Strides of_a = layout == kLeftTransposed ? Strides{1, rows} : Strides{inner, 1};
  const Strides of_b = layout >= kRightTransposed ? Strides{1, inner} : Strides{columns, 1};
  kernel.a = operand_of(load_from(0, of_a).access, kernel.dtype);
  kernel.b = operand_of(load_from(1, of_b).access, kernel.dtype);
  Value value;
  value.kind = Value::Kind::product;
  kernel.epilogue.values = {value};
  kernel.epilogue.stores = {store_to(2, 0, {columns, 1})};
  LoneKernel lone = compile(kernel, {rows * inner, inner * columns, rows * columns});
  for (auto _ : state) lone.run();
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

// y[m0, m1, m, n] = sum over 3 x 3 windows and channels k of x[m0, m1 + k0, m + k1, k] * w[k0, k1, k, n]: images of
// `size` x `size` results. Padded: those at the edges see zeros, which a load with bounds gives.
void convolution(benchmark::State& state) {
  const std::int64_t images = state.range(0), size = state.range(1), channels = state.range(2),
                     outputs = state.range(3);
  const bool padded = state.range(4) != 0;
  const std::int64_t edge = padded ? size : size + 2, row = edge * channels;
  ContractionKernel kernel;
  kernel.rows = {{images, false}, {size, false}, {size, false}};
  kernel.columns = {{outputs, false}};
  kernel.inner = {{3, false}, {3, false}, {channels, false}};
  Access x = load_from(0, {edge * row, row, channels, row, channels, 1}).access;
  if (padded) {
    x.at.offset = -row - channels;
    x.bounds = {{{{0, 1, 0, 1, 0, 0}, -1}, size, row}, {{{0, 0, 1, 0, 1, 0}, -1}, size, channels}};
  }
  kernel.a = operand_of(x, kernel.dtype);
  kernel.b = operand_of(load_from(1, {3 * channels * outputs, channels * outputs, outputs, 1}).access, kernel.dtype);
  Value value;
  value.kind = Value::Kind::product;
  kernel.epilogue.values = {value};
  kernel.epilogue.stores = {store_to(2, 0, {size * size * outputs, size * outputs, outputs, 1})};
  const std::int64_t results = images * size * size * outputs;
  LoneKernel lone = compile(kernel, {images * edge * row, 9 * channels * outputs, results});
  for (auto _ : state) lone.run();
  const double flops = 2.0 * static_cast<double>(results * 9 * channels);
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(convolution)
    ->ArgNames({"images", "size", "channels", "outputs", "padded"})
    ->ArgsProduct({{16}, {28}, {32}, {64}, {0, 1}})
    ->ArgsProduct({{16}, {14}, {128}, {128}, {0, 1}});

// y = op(x) over a number of elements that stays in the first-level cache.
void elementwise(benchmark::State& state, Op op) {
  const std::int64_t count = 2048;
  LoopKernel kernel;
  kernel.axes = {{count, false}};
  kernel.reduced = {false};
  Value value;
  value.op = op;
  value.operands = {0};
  kernel.body.values = {load_from(0, {1}), value};
  kernel.body.stores = {store_to(1, 1, {1})};
  LoneKernel lone = compile(kernel, {count, count});
  for (auto _ : state) lone.run();
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
