// See machine_limits.h. The peak is that of a product that stays in the first-level cache; bandwidth that of a sum.
#include "tools/measure/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tools/measure/lone_kernel.h"

namespace tarn {

namespace {

// Seconds of one run of the kernel on tensors of so many floats: the best of a few.
Result<double> best_seconds(KernelBody body, const std::vector<std::int64_t>& tensors, const CodegenOptions& options) {
  TARN_TRY(LoneKernel kernel, LoneKernel::compile(std::move(body), tensors, options));
  constexpr double kSeconds = 0.05;
  double best = 1e9, total = 0;
  while (total < kSeconds) {
    const auto start = std::chrono::steady_clock::now();
    kernel.run();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

Result<double> measure_flops(const CodegenOptions& options) {
  constexpr std::int64_t kRows = 168, kColumns = 64, kInner = 128;
  ContractionKernel kernel;
  kernel.rows = {{kRows, false}};
  kernel.columns = {{kColumns, false}};
  kernel.inner = {{kInner, false}};
  kernel.a = operand_of(load_from(0, {kInner, 1}).access, kernel.dtype);
  kernel.b = operand_of(load_from(1, {kColumns, 1}).access, kernel.dtype);
  Value product;
  product.kind = Value::Kind::product;
  kernel.epilogue.values = {product};
  kernel.epilogue.stores = {store_to(2, 0, {kColumns, 1})};
  TARN_TRY(const double seconds, best_seconds(kernel, {kRows * kInner, kInner * kColumns, kRows * kColumns}, options));
  return 2.0 * kRows * kColumns * kInner / seconds;
}

Result<double> measure_bandwidth(std::int64_t bytes, const CodegenOptions& options) {
  // A few reads of the whole, so that starting the kernel does not count.
  const std::int64_t repeats = std::max<std::int64_t>(1, (std::int64_t{1} << 21) / bytes), count = bytes / 4;
  LoopKernel kernel;
  kernel.axes = {{repeats, false}, {count, false}};
  kernel.reduced = {false, true};
  kernel.body.values = {load_from(0, {0, 1})};
  Reduction sum;
  kernel.reductions = {sum};
  Value whole;
  whole.kind = Value::Kind::reduced;
  kernel.tail.values = {whole};
  kernel.tail.stores = {store_to(1, 0, {1, 0})};
  TARN_TRY(const double seconds, best_seconds(kernel, {count, repeats}, options));
  return static_cast<double>(bytes * repeats) / seconds;
}

}  // namespace

double MachineLimits::bandwidth_of(double bytes) const {
  for (const Bandwidth& read : reads) {
    if (bytes <= read.bytes) return read.bytes_per_second;
  }
  return reads.back().bytes_per_second;
}

MachineLimits MachineLimits::of_cores(int cores) const {
  MachineLimits all = *this;
  all.flops *= cores;
  for (std::size_t i = 0; i + 1 < all.reads.size(); ++i) all.reads[i].bytes_per_second *= cores;
  return all;
}

double MachineLimits::least_seconds(double work, double bytes) const {
  return std::max(work / flops, bytes / bandwidth_of(bytes));
}

Result<MachineLimits> measure_limits(const CodegenOptions& options) {
  CodegenOptions plain = options;
  plain.count_ticks = false;
  MachineLimits limits;
  TARN_TRY(limits.flops, measure_flops(plain));
  for (const std::int64_t kilobytes : {24, 512, 8192, 98304}) {
    const std::int64_t bytes = kilobytes * 1024;
    TARN_TRY(const double rate, measure_bandwidth(bytes, plain));
    limits.reads.push_back({static_cast<double>(bytes), rate});
  }
  return limits;
}

}  // namespace tarn
