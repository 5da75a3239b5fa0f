// Runs the emitters of codegen/math/vector_math.h on arrays, and measures errors against independent references.
// Shared by the unit test and by the exhaustive checker.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "codegen/math/vector_math.h"

namespace llvm::orc {
class LLJIT;
}

namespace tarn::testing {

/// The machines that the emitters are compiled for.
enum class Machine {
  kHost,     // the host with all its features; fused multiply-add if it has it
  kWithout,  // x86-64 with SSE 4.1 only: no fused multiply-add
};

/// Every function of vector_functions() for f32 and f64 and for 1, 4, 8 and 16 lanes, compiled for one machine. Symbols
/// of the process are not visible to the compiled code: a call of a maths library fails to link.
class VectorMathKernels {
 public:
  explicit VectorMathKernels(Machine machine);
  ~VectorMathKernels();

  bool has_fma() const { return has_fma_; }

  static constexpr unsigned kLaneCounts[] = {1, 4, 8, 16};

  /// out[i] = f(x[i], y[i]); y may be empty for unary functions. The arrays' length is a multiple of 16.
  void run(const VectorFunction& function, unsigned lanes, std::span<const float> x, std::span<const float> y,
           std::span<float> out) const;
  void run(const VectorFunction& function, unsigned lanes, std::span<const double> x, std::span<const double> y,
           std::span<double> out) const;

 private:
  using Kernel = void (*)(const void* x, const void* y, void* out, std::int64_t vectors);
  using Key = std::tuple<std::string, bool, unsigned>;  // name, is f64, lanes

  bool has_fma_ = false;
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  std::map<Key, Kernel> kernels_;
};

const VectorFunction& vector_function(const std::string& name);

/// The reference for a row, from the C library in a format at least 11 bits wider: double for f32, long double for f64.
template <typename Wide>
using Reference = Wide (*)(Wide x, Wide y);
template <typename Wide>
Reference<Wide> reference(const std::string& name);

/// |result - exact| in units in the last place of the exact value rounded to T; 0 when both are NaN, both the same
/// infinity, or exact overflows T's rounding range and the result is that infinity; infinite when only one is NaN or
/// the signs of zeros or infinities differ.
template <typename T, typename Wide>
double ulp_error(T result, Wide exact) {
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  using Limits = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(result)) return std::isnan(exact) && std::isnan(result) ? 0 : kWrong;
  if (std::signbit(exact) != std::signbit(result)) return kWrong;
  const Wide overflow = std::ldexp(Wide{1}, Limits::max_exponent);
  const Wide half_unit = std::ldexp(Wide{1}, Limits::max_exponent - Limits::digits - 1);
  Wide magnitude = std::fabs(exact);
  if (magnitude >= overflow - half_unit && std::isinf(result)) return 0;
  if (std::isinf(exact)) magnitude = overflow;
  Wide computed = std::isinf(result) ? overflow : std::fabs(static_cast<Wide>(result));
  int exponent =
      std::min(std::max(magnitude == 0 ? Limits::min_exponent : std::ilogb(magnitude) + 1, Limits::min_exponent),
               Limits::max_exponent);
  return static_cast<double>(std::ldexp(std::fabs(computed - magnitude), Limits::digits - exponent));
}

}  // namespace tarn::testing
