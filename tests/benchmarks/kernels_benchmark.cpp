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
  kernel.rows = {rows, false};
  kernel.columns = {columns, false};
  kernel.inner = {inner, false};
  kernel.a =
      load_from(0, layout == kLeftTransposed ? std::vector<std::int64_t>{1, rows} : std::vector<std::int64_t>{inner, 1})
          .access;
  kernel.b = load_from(1, layout >= kRightTransposed ? std::vector<std::int64_t>{1, inner}
                                                     : std::vector<std::int64_t>{columns, 1})
                 .access;
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
