// Every elementwise operation of ops.def as native code, in vectors and in scalars, against its value in the table. The
// rows are those of the table: a new operation is tested without a line here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::testing {
namespace {

std::vector<double> samples(DType dtype) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  switch (dtype) {
    case DType::boolean:
      return {0, 1};
    case DType::i32:
      return {0, 1, -1, 2, -2, 3, -7, 100, -100, 65536, 2147483647, -2147483647, -2147483648.0};
    case DType::f32:
      return {0,     -0.0,  0.5,          -0.5,   1,       -1,    1.5,      2.5,       -2.5,
              3,     -7.25, 0.0009765625, 20.25,  -20.25,  80,    -80,      130,       -130,
              1e10F, -3e9F, 8388609.0,    1e-40F, -1e-40F, 3e38F, infinity, -infinity, nan};
    case DType::f64:
      return {0,        -0.0,      0.5,
              -0.5,     1,         -1,
              1.5,      2.5,       -2.5,
              3,        -7.25,     0.0009765625,
              20.25,    -20.25,    700,
              -700,     800,       -800,
              1e10,     -3e9,      4503599627370497.0,
              1e-310,   -1e-310,   1e308,
              infinity, -infinity, nan};
  }
  return {};
}

// Where ops.def leaves the value open, or it is ill-conditioned: a remainder after many subtractions, wrapping
// integers, integer division by 0.
bool is_open(Op op, DType dtype, double a, double b, double expected) {
  if (op == Op::mod && is_floating(dtype) && !(std::fabs(a / b) < 1e5)) return std::isfinite(a) && b != 0;
  // A quotient that rounds to an integer has another floor before rounding.
  if (op == Op::floor_div && dtype == DType::f32 && std::floor(static_cast<float>(a / b)) != std::floor(a / b))
    return true;
  if (dtype == DType::i32 && (op == Op::floor_div || op == Op::mod) && b == 0) return true;
  return dtype == DType::i32 && std::fabs(expected) > 2147483647.0;
}

double emitter_tolerance(DType dtype) { return dtype == DType::f32 ? 8 * 1.1920929e-7 : 8 * 2.220446e-16; }

double rounded(double value, DType dtype) { return dtype == DType::f32 ? static_cast<float>(value) : value; }

struct EmitterRow {
  Op op;
  std::vector<DType> operands;
  DType result;
};

// All dtypes that the row's type rule takes.
std::vector<EmitterRow> rows_of(const OpInfo& info) {
  const DType all[] = {DType::f32, DType::f64, DType::i32, DType::boolean};
  std::vector<EmitterRow> rows;
  for (const DType dtype : all) {
    std::vector<DType> operands(static_cast<std::size_t>(info.arity), dtype);
    if (info.op == Op::where) operands[0] = DType::boolean;
    for (const DType requested : all) {
      if (info.op != Op::convert && requested != DType::f32) break;
      std::vector<Type> types;
      for (const DType operand : operands) types.push_back({operand, false, {}});
      const Type wanted{requested, false, {}};
      const Result<Type> type = info.type_rule(types, {}, &wanted);
      if (type.has_value()) rows.push_back({info.op, operands, type->dtype});
    }
  }
  return rows;
}

void check_row(const EmitterRow& row, const std::string& cpu, bool in_vectors) {
  // Every combination of the samples.
  std::vector<std::vector<double>> columns(row.operands.size());
  std::size_t count = 1;
  for (const DType dtype : row.operands) count *= samples(dtype).size();
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t rest = i;
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const std::vector<double> values = samples(row.operands[k]);
      columns[k].push_back(values[rest % values.size()]);
      rest /= values.size();
    }
  }
  HandPlan hand;
  const auto length = static_cast<std::int64_t>(count);
  LoopKernel kernel;
  kernel.axes = {{length, false}, {1, false}};
  kernel.reduced = {false, false};
  std::vector<ValueId> operands;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const BufferId x = hand.tensor("x" + std::to_string(k), row.operands[k], {length}, columns[k]);
    kernel.body.values.push_back(load(x, {1, 0}, row.operands[k]));
    operands.push_back(static_cast<ValueId>(k));
  }
  kernel.body.values.push_back(operation(row.op, row.result, operands));
  const BufferId y = hand.result(row.result, {length});
  kernel.body.stores = {{static_cast<ValueId>(columns.size()), at(y, {1, 0}), false}};
  hand.add(kernel, along(in_vectors ? 0 : 1));
  const NativeRun run = run_native(hand, options_for(cpu), 1);
  columns.resize(3, std::vector<double>(count, 0));
  for (std::size_t i = 0; i < count; ++i) {
    const double a = columns[0][i], b = columns[1][i], c = columns[2][i];
    double expected = rounded(info(row.op).scalar(a, b, c), row.result);
    if (row.op == Op::convert && row.result == DType::boolean) expected = a != 0 ? 1 : 0;
    if (row.op == Op::convert && row.result == DType::i32) {
      expected = std::isnan(a) ? 0 : std::trunc(std::clamp(a, -2147483648.0, 2147483647.0));
    }
    if (is_open(row.op, row.operands.back(), a, b, expected)) continue;
    const double actual = run.results[0].data[i];
    const bool same = actual == expected || (std::isnan(actual) && std::isnan(expected)) ||
                      std::fabs(actual - expected) <= emitter_tolerance(row.result) * std::fabs(expected) ||
                      std::fabs(actual - expected) <= (row.result == DType::f32 ? 3e-45 : 1e-323);
    EXPECT_TRUE(same) << name_of(row.op) << " of " << name_of(row.operands.back()) << " (" << a << ", " << b << ", "
                      << c << ") as " << name_of(row.result) << " is " << actual << ", expected " << expected << " on "
                      << cpu << (in_vectors ? ", vectors" : ", scalars");
  }
}

TEST(CodegenEmitters, EveryElementwiseOperation) {
  for (const OpInfo& info : all_operations()) {
    if (info.op_class != OpClass::elementwise) continue;
    const std::vector<EmitterRow> rows = rows_of(info);
    EXPECT_FALSE(rows.empty()) << info.name;
    for (const EmitterRow& row : rows) {
      for (const std::string& cpu : cpus()) {
        check_row(row, cpu, true);
        check_row(row, cpu, false);
      }
    }
  }
}

}  // namespace
}  // namespace tarn::testing
