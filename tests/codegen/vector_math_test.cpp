// Vector maths against NumPy's correctly rounded values, against the C library in a wider format, and the special cases
// of C.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"
#include "tests/support/compiler/vector_math_harness.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

using testing::Machine;
using testing::reference;
using testing::ulp_error;
using testing::vector_function;
using testing::VectorMathKernels;

const VectorMathKernels& kernels(Machine machine) {
  static const VectorMathKernels host(Machine::kHost);
  static const VectorMathKernels without(Machine::kWithout);
  return machine == Machine::kHost ? host : without;
}

template <typename T>
using WiderThan = std::conditional_t<std::is_same_v<T, float>, double, long double>;
template <typename T>
using BitsOf = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

template <typename T>
double bound_of(Machine machine, const VectorFunction& function) {
  double bound = std::is_same_v<T, float> ? function.max_ulp_f32 : function.max_ulp_f64;
  return kernels(machine).has_fma() ? bound : bound * kBoundFactorWithoutFma;
}

/// f of every element (and y, where binary), in vectors of `lanes`; the inputs are padded to whole vectors.
template <typename T>
std::vector<T> evaluate(Machine machine, const VectorFunction& function, std::vector<T> x, std::vector<T> y = {},
                        unsigned lanes = 16) {
  std::size_t size = x.size();
  x.resize((size + 15) / 16 * 16, T(1));
  if (function.arity == 2) y.resize(x.size(), T(1));
  std::vector<T> out(x.size());
  kernels(machine).run(function, lanes, x, y, out);
  out.resize(size);
  return out;
}

/// Checks f(x, y) against the C library in the wider format.
template <typename T>
void expect_within_bound(Machine machine, const std::string& name, const std::vector<T>& x,
                         const std::vector<T>& y = {}) {
  const VectorFunction& function = vector_function(name);
  auto exact = reference<WiderThan<T>>(name);
  std::vector<T> results = evaluate(machine, function, x, y);
  double largest = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double error = ulp_error(results[i], exact(x[i], y.empty() ? 0 : y[i]));
    if (error > largest) largest = error, where = i;
  }
  EXPECT_LE(largest, bound_of<T>(machine, function))
      << name << "(" << x[where] << (y.empty() ? "" : ", " + std::to_string(y[where])) << ") = " << results[where];
}

struct NumpyRow {
  bool is_f64;
  std::uint64_t input, output;
};

std::vector<NumpyRow> read_numpy_rows(const std::string& name) {
  std::ifstream file(test::source_folder() / "tests/data/ulp" / ("umath-validation-set-" + name + ".csv"));
  std::vector<NumpyRow> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string type, input, output;
    if (!std::getline(fields, type, ',') || !std::getline(fields, input, ',') || !std::getline(fields, output, ','))
      continue;
    if (type == "np.float32" || type == "np.float64")
      rows.push_back({type == "np.float64", std::stoull(input, nullptr, 16), std::stoull(output, nullptr, 16)});
  }
  return rows;
}

template <typename T>
void expect_numpy_rows(Machine machine, const std::string& name, const std::vector<NumpyRow>& rows) {
  std::vector<T> inputs, outputs;
  for (const NumpyRow& row : rows) {
    if (row.is_f64 != std::is_same_v<T, double>) continue;
    inputs.push_back(std::bit_cast<T>(static_cast<BitsOf<T>>(row.input)));
    outputs.push_back(std::bit_cast<T>(static_cast<BitsOf<T>>(row.output)));
  }
  const VectorFunction& function = vector_function(name);
  std::vector<T> results = evaluate(machine, function, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    // The table's values are rounded, so half a unit away from exact at most.
    double error = ulp_error(results[i], static_cast<WiderThan<T>>(outputs[i]));
    EXPECT_LE(error, bound_of<T>(machine, function) + 0.5)
        << name << "(" << inputs[i] << ") = " << results[i] << ", not " << outputs[i];
  }
}

class NumpyValues : public ::testing::TestWithParam<const char*> {};

TEST_P(NumpyValues, AreMet) {
  std::vector<NumpyRow> rows = read_numpy_rows(GetParam());
  ASSERT_GE(rows.size(), 250u);
  for (Machine machine : {Machine::kHost, Machine::kWithout}) {
    expect_numpy_rows<float>(machine, GetParam(), rows);
    expect_numpy_rows<double>(machine, GetParam(), rows);
  }
}

INSTANTIATE_TEST_SUITE_P(VectorMath, NumpyValues,
                         ::testing::Values("exp", "log", "sin", "cos", "tanh", "expm1", "log1p"),
                         [](const auto& info) { return std::string(info.param); });

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Special {
  const char* name;
  double x, result;
};

// C, Annex F.10; for sigmoid, softplus and rsqrt the limits.
const Special kSpecials[] = {
    {"exp", 0.0, 1},
    {"exp", -0.0, 1},
    {"exp", kInfinity, kInfinity},
    {"exp", -kInfinity, 0},
    {"exp", kNaN, kNaN},
    {"exp", 1e30, kInfinity},
    {"exp", -1e30, 0},
    {"expm1", 0.0, 0.0},
    {"expm1", -0.0, -0.0},
    {"expm1", kInfinity, kInfinity},
    {"expm1", -kInfinity, -1},
    {"expm1", kNaN, kNaN},
    {"log", 1, 0.0},
    {"log", 0.0, -kInfinity},
    {"log", -0.0, -kInfinity},
    {"log", -1, kNaN},
    {"log", kInfinity, kInfinity},
    {"log", -kInfinity, kNaN},
    {"log", kNaN, kNaN},
    {"log", -1e-42, kNaN},
    {"log1p", 0.0, 0.0},
    {"log1p", -0.0, -0.0},
    {"log1p", -1, -kInfinity},
    {"log1p", -2, kNaN},
    {"log1p", kInfinity, kInfinity},
    {"log1p", -kInfinity, kNaN},
    {"log1p", kNaN, kNaN},
    {"sqrt", -0.0, -0.0},
    {"sqrt", -1, kNaN},
    {"sqrt", kInfinity, kInfinity},
    {"sqrt", 4, 2},
    {"rsqrt", 0.0, kInfinity},
    {"rsqrt", -0.0, -kInfinity},
    {"rsqrt", kInfinity, 0},
    {"rsqrt", -1, kNaN},
    {"rsqrt", 4, 0.5},
    {"sin", 0.0, 0.0},
    {"sin", -0.0, -0.0},
    {"sin", kInfinity, kNaN},
    {"sin", -kInfinity, kNaN},
    {"sin", kNaN, kNaN},
    {"cos", 0.0, 1},
    {"cos", -0.0, 1},
    {"cos", kInfinity, kNaN},
    {"cos", -kInfinity, kNaN},
    {"cos", kNaN, kNaN},
    {"tanh", 0.0, 0.0},
    {"tanh", -0.0, -0.0},
    {"tanh", kInfinity, 1},
    {"tanh", -kInfinity, -1},
    {"tanh", kNaN, kNaN},
    {"tanh", 1e30, 1},
    {"tanh", -1e30, -1},
    {"sigmoid", 0.0, 0.5},
    {"sigmoid", kInfinity, 1},
    {"sigmoid", -kInfinity, 0},
    {"sigmoid", kNaN, kNaN},
    {"sigmoid", 1e30, 1},
    {"sigmoid", -1e30, 0},
    {"softplus", kInfinity, kInfinity},
    {"softplus", -kInfinity, 0},
    {"softplus", kNaN, kNaN},
    {"softplus", 1e30, 1e30},
    {"softplus", -1e30, 0},
    {"erf", 0.0, 0.0},
    {"erf", -0.0, -0.0},
    {"erf", kInfinity, 1},
    {"erf", -kInfinity, -1},
    {"erf", kNaN, kNaN},
    {"erf", 10, 1},
    {"erf", -10, -1},
    {"floor", -0.0, -0.0},
    {"floor", -0.5, -1},
    {"floor", 2.5, 2},
    {"floor", kInfinity, kInfinity},
    {"floor", kNaN, kNaN},
    {"ceil", -0.5, -0.0},
    {"ceil", 2.5, 3},
    {"ceil", -kInfinity, -kInfinity},
    {"ceil", kNaN, kNaN},
    {"round", 0.5, 0},
    {"round", 1.5, 2},
    {"round", 2.5, 2},
    {"round", -0.5, -0.0},
    {"round", -1.5, -2},
    {"round", kNaN, kNaN},
};

template <typename T>
void expect_special(Machine machine, const Special& special) {
  T result = evaluate<T>(machine, vector_function(special.name), {static_cast<T>(special.x)})[0];
  EXPECT_EQ(ulp_error(result, static_cast<WiderThan<T>>(static_cast<T>(special.result))), 0)
      << special.name << "(" << special.x << ") = " << result << ", not " << special.result << " in " << sizeof(T) * 8
      << " bits";
}

TEST(VectorMath, SpecialValues) {
  for (Machine machine : {Machine::kHost, Machine::kWithout})
    for (const Special& special : kSpecials) {
      expect_special<float>(machine, special);
      expect_special<double>(machine, special);
    }
}

/// Any bit pattern, and numbers in the ranges where the functions do something.
template <typename T>
std::vector<T> random_inputs(std::mt19937_64& random, std::size_t count) {
  std::vector<T> x;
  T widest = std::is_same_v<T, float> ? T(110) : T(760);
  for (std::size_t i = 0; i < count; ++i) {
    x.push_back(std::bit_cast<T>(static_cast<BitsOf<T>>(random())));
    for (T range : {T(1), T(10), widest}) x.push_back(std::uniform_real_distribution<T>(-range, range)(random));
    // Magnitudes spread evenly over binades around 1.
    x.push_back(std::ldexp(std::uniform_real_distribution<T>(-2, 2)(random), static_cast<int>(random() % 80) - 70));
  }
  return x;
}

TEST(VectorMath, RandomInputsStayWithinTheBounds) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (Machine machine : {Machine::kHost, Machine::kWithout}) {
    std::vector<float> narrow = random_inputs<float>(random, 20000);
    std::vector<double> wide = random_inputs<double>(random, 20000);
    for (const VectorFunction& function : vector_functions()) {
      if (function.arity != 1) continue;
      expect_within_bound(machine, function.name, narrow);
      expect_within_bound(machine, function.name, wide);
    }
  }
}

TEST(VectorMath, DenormalsKeepTheirBits) {
  for (Machine machine : {Machine::kHost, Machine::kWithout})
    for (const char* name : {"expm1", "log1p", "sin", "tanh"}) {
      std::vector<float> narrow;
      std::vector<double> wide;
      for (unsigned bits = 1; bits < 1000; ++bits) {
        narrow.push_back(std::bit_cast<float>(bits * 8389u % 0x800000u));
        wide.push_back(std::bit_cast<double>(bits * 0x4189374bc6a7fu % 0x10000000000000u));
      }
      // f(x) = x + O(x^2)
      EXPECT_EQ(evaluate(machine, vector_function(name), narrow), narrow) << name;
      EXPECT_EQ(evaluate(machine, vector_function(name), wide), wide) << name;
    }
}

TEST(VectorMath, GradualUnderflow) {
  for (Machine machine : {Machine::kHost, Machine::kWithout})
    for (const char* name : {"exp", "sigmoid", "softplus"}) {
      std::vector<float> narrow;
      std::vector<double> wide;
      for (int i = 0; i <= 4000; ++i) {
        narrow.push_back(-87.0f - 18.0f * static_cast<float>(i) / 4000.0f);
        wide.push_back(-708.0 - 39.0 * i / 4000.0);
      }
      expect_within_bound(machine, name, narrow);
      expect_within_bound(machine, name, wide);
    }
}

TEST(VectorMath, SineAndCosineNextToMultiplesOfHalfPi) {
  std::vector<float> narrow;
  std::vector<double> wide;
  for (int n = 1; n < 3000; ++n) {
    // Multiples up to far beyond the change of reduction.
    double multiple = 1.5707963267948966 * n * (n % 3 == 0 ? 1 : n % 3 == 1 ? 1000 : 1e9);
    wide.insert(wide.end(), {multiple, std::nextafter(multiple, 0), -multiple});
    float single = static_cast<float>(multiple);
    narrow.insert(narrow.end(), {single, std::nextafter(single, 0.0f), -single});
  }
  for (Machine machine : {Machine::kHost, Machine::kWithout})
    for (const char* name : {"sin", "cos"}) {
      expect_within_bound(machine, name, narrow);
      expect_within_bound(machine, name, wide);
    }
}

TEST(VectorMath, CosineOfTheHardestArgument) {
  // The f64 nearest to a multiple of pi/2: J.-M. Muller, Elementary Functions, 2nd ed., chapter 9: x = 6381956970095103
  // · 2^797, cos x = -4.68716592425462761112e-19.
  double x = std::ldexp(6381956970095103.0, 797);
  for (Machine machine : {Machine::kHost, Machine::kWithout})
    EXPECT_LE(ulp_error(evaluate<double>(machine, vector_function("cos"), {x})[0], -4.68716592425462761112e-19L), 2);
}

template <typename T>
void expect_pow_of_special_pairs(Machine machine) {
  using Limits = std::numeric_limits<T>;
  T odd = std::ldexp(T(1), Limits::digits) - 1;
  std::vector<T> values = {0,
                           T(0.25),
                           T(0.5),
                           T(0.75),
                           1,
                           std::nextafter(T(1), T(2)),
                           std::nextafter(T(1), T(0)),
                           T(1.5),
                           2,
                           3,
                           T(2.5),
                           10,
                           101,
                           odd,
                           odd - 1,
                           odd + 1,
                           2 * odd,
                           Limits::max(),
                           Limits::min(),
                           Limits::denorm_min(),
                           Limits::min() / 3,
                           Limits::infinity(),
                           Limits::quiet_NaN()};
  std::vector<T> x, y;
  for (T base : values)
    for (T exponent : values)
      for (T base_sign : {T(1), T(-1)})
        for (T exponent_sign : {T(1), T(-1)}) {
          x.push_back(base_sign * base);
          y.push_back(exponent_sign * exponent);
        }
  expect_within_bound(machine, "pow", x, y);
}

TEST(VectorMath, PowOfSpecialPairs) {
  for (Machine machine : {Machine::kHost, Machine::kWithout}) {
    expect_pow_of_special_pairs<float>(machine);
    expect_pow_of_special_pairs<double>(machine);
  }
}

template <typename T>
void expect_random_pow(Machine machine, std::mt19937_64& random) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x, y;
  for (int i = 0; i < 20000; ++i) {
    T any = std::bit_cast<T>(static_cast<BitsOf<T>>(random()));
    T fraction = std::uniform_real_distribution<T>(-1, 1)(random);
    // Any pair; a result spread over all binades, from a base of any size; from a base near 1; integral powers.
    x.push_back(any), y.push_back(std::bit_cast<T>(static_cast<BitsOf<T>>(random())));
    T magnitude = std::fabs(any);
    if (std::isfinite(magnitude) && magnitude > 0 && magnitude != 1)
      x.push_back(magnitude), y.push_back(fraction * T(1.1) * T(Limits::max_exponent) / std::log2(magnitude));
    T near_one = 1 + std::ldexp(fraction, -static_cast<int>(random() % 20) - 1);
    if (near_one != 1) x.push_back(near_one), y.push_back(T(Limits::max_exponent) * T(0.95) / std::log2(near_one));
    x.push_back(fraction * 10), y.push_back(T(static_cast<int>(random() % 80) - 40));
  }
  expect_within_bound(machine, "pow", x, y);
}

TEST(VectorMath, RandomPow) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (Machine machine : {Machine::kHost, Machine::kWithout}) {
    expect_random_pow<float>(machine, random);
    expect_random_pow<double>(machine, random);
  }
}

template <typename T>
void expect_equal_bits_for_all_lane_counts(Machine machine, std::mt19937_64& random) {
  std::vector<T> x = random_inputs<T>(random, 1600);
  std::vector<T> y = random_inputs<T>(random, 1600);
  for (const VectorFunction& function : vector_functions()) {
    std::vector<T> expected = evaluate(machine, function, x, y, 1);
    for (unsigned lanes : VectorMathKernels::kLaneCounts) {
      std::vector<T> results = evaluate(machine, function, x, y, lanes);
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(expected[i]) && std::isnan(results[i])) continue;
        ASSERT_EQ(std::bit_cast<BitsOf<T>>(results[i]), std::bit_cast<BitsOf<T>>(expected[i]))
            << function.name << "(" << x[i] << ") in " << lanes << " lanes";
      }
    }
  }
}

TEST(VectorMath, LaneCountsGiveEqualBits) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (Machine machine : {Machine::kHost, Machine::kWithout}) {
    expect_equal_bits_for_all_lane_counts<float>(machine, random);
    expect_equal_bits_for_all_lane_counts<double>(machine, random);
  }
}

TEST(VectorMath, FastMathFlagsOfTheBuilderAreNeitherUsedNorLost) {
  llvm::LLVMContext context;
  llvm::Module module("flags", context);
  llvm::Type* type = llvm::FixedVectorType::get(llvm::Type::getFloatTy(context), 8);
  auto* function = llvm::Function::Create(llvm::FunctionType::get(type, {type, type}, false),
                                          llvm::Function::ExternalLinkage, "f", module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", function));
  builder.setFastMathFlags(llvm::FastMathFlags::getFast());
  for (const VectorFunction& row : vector_functions()) {
    llvm::Value* arguments[] = {function->getArg(0), function->getArg(1)};
    row.emit(builder, llvm::ArrayRef(arguments, row.arity), {});
    EXPECT_TRUE(builder.getFastMathFlags().isFast()) << row.name;
  }
  builder.CreateUnreachable();
  for (llvm::Function& each : module)
    for (llvm::Instruction& instruction : llvm::instructions(each))
      EXPECT_FALSE(llvm::isa<llvm::FPMathOperator>(instruction) && instruction.getFastMathFlags().any())
          << instruction.getOpcodeName();
  // sin and cos, and the reduction they share.
  EXPECT_EQ(std::count_if(module.begin(), module.end(), [](const llvm::Function& f) { return f.hasInternalLinkage(); }),
            3);
}

}  // namespace
}  // namespace tarn
