// Measures the f32 errors of the vector maths over all 2^32 inputs, against the C library in double.
//
//     tarn_exhaustive_math [--stride N] [--without-fma] [--rate] [FUNCTION...]
//
// A line a function: the largest error in ulp, an input that has it, and the bound of the table; fails when a bound is
// exceeded.
// --stride tries every Nth input only; --rate prints elements a nanosecond (16 lanes of f32, 8 of f64) instead.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "tests/support/compiler/vector_math_harness.h"

namespace {

using namespace tarn;
using namespace tarn::testing;

constexpr std::size_t kBlock = 4096;

struct Worst {
  double error = 0;
  float input = 0;
};

Worst worst_in_range(const VectorMathKernels& kernels, const VectorFunction& function, std::uint64_t begin,
                     std::uint64_t end, std::uint64_t stride) {
  Reference<double> exact = reference<double>(function.name);
  std::array<float, kBlock> x, y;
  Worst worst;
  for (std::uint64_t start = begin; start < end; start += kBlock * stride) {
    for (std::size_t i = 0; i < kBlock; ++i)
      x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(std::min(start + i * stride, end - 1)));
    kernels.run(function, 16, x, {}, y);
    for (std::size_t i = 0; i < kBlock; ++i) {
      double error = ulp_error(y[i], exact(x[i], 0));
      if (!(error <= worst.error)) worst = {error, x[i]};
    }
  }
  return worst;
}

Worst worst_of_all(const VectorMathKernels& kernels, const VectorFunction& function, std::uint64_t stride) {
  unsigned workers = std::max(1u, std::thread::hardware_concurrency());
  std::uint64_t share = (std::uint64_t{1} << 32) / workers;
  std::vector<Worst> results(workers);
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < workers; ++w)
    threads.emplace_back(
        [&, w] { results[w] = worst_in_range(kernels, function, w * share, (w + 1) * share, stride); });
  for (std::thread& thread : threads) thread.join();
  return *std::max_element(results.begin(), results.end(), [](Worst a, Worst b) { return a.error < b.error; });
}

template <typename T>
double elements_a_nanosecond(const VectorMathKernels& kernels, const VectorFunction& function) {
  std::vector<T> x(kBlock), y(kBlock, T(1.5)), out(kBlock);
  for (std::size_t i = 0; i < kBlock; ++i) x[i] = T(0.001) + T(8) * static_cast<T>(i) / T(kBlock);
  double best = 0;
  for (int repetition = 0; repetition < 50; ++repetition) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) kernels.run(function, 64 / sizeof(T), x, y, out);
    std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, 20.0 * kBlock / elapsed.count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t stride = 1;
  Machine machine = Machine::kHost;
  bool rate = false;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
      stride = std::max(1ull, std::strtoull(argv[++i], nullptr, 10));
    else if (std::strcmp(argv[i], "--without-fma") == 0)
      machine = Machine::kWithout;
    else if (std::strcmp(argv[i], "--rate") == 0)
      rate = true;
    else
      wanted.push_back(argv[i]);
  }
  VectorMathKernels kernels(machine);
  bool good = true;
  for (const VectorFunction& function : vector_functions()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), function.name) == wanted.end()) continue;
    if (rate) {
      std::printf("%-9s f32 %.2f  f64 %.2f elements/ns\n", function.name,
                  elements_a_nanosecond<float>(kernels, function), elements_a_nanosecond<double>(kernels, function));
    } else if (function.arity == 1) {
      Worst worst = worst_of_all(kernels, function, stride);
      double bound = function.max_ulp_f32 * (kernels.has_fma() ? 1 : kBoundFactorWithoutFma);
      bool within = worst.error <= bound;
      good = good && within;
      std::printf("%-9s %.4f ulp at %a (%.9g), bound %g%s\n", function.name, worst.error,
                  static_cast<double>(worst.input), static_cast<double>(worst.input), function.max_ulp_f32,
                  within ? "" : "  EXCEEDED");
    }
    std::fflush(stdout);
  }
  return good ? 0 : 1;
}
