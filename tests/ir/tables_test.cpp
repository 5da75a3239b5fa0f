// What the rows of the operation table say of an operation, against its value: a fact that does not hold is found, and
// so is one that holds and is not said. The tables of program functions and of formats of data, likewise.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "frontend/builtins/builtins.h"
#include "ir/data_formats.h"
#include "ir/op.h"
#include "ir/program_functions.h"
#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const std::vector<double> kFinite = {0, 0.25, 0.5, 1, 1.5, 2, 3, -0.25, -0.5, -1, -2.5, -3};
const std::vector<double> kNotFinite = {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()};

std::vector<OpInfo> elementwise_rows() {
  std::vector<OpInfo> rows;
  for (const OpInfo& row : all_operations()) {
    if (row.op_class == OpClass::elementwise) rows.push_back(row);
  }
  return rows;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// Whether all(a, b, c) holds for all numbers among `values`, as many of them as there are operands.
template <class Holds>
bool for_all(const OpInfo& row, const std::vector<double>& values, const Holds& holds) {
  const std::vector<double> none = {0};
  for (const double a : values) {
    for (const double b : row.arity > 1 ? values : none) {
      for (const double c : row.arity > 2 ? values : none) {
        if (!holds(a, b, c)) return false;
      }
    }
  }
  return true;
}

bool is_whole(double x) { return std::floor(x) == x; }

TEST(IrOperations, CommutativeOnesAndNoOthersAreMarked) {
  for (const OpInfo& row : elementwise_rows()) {
    const bool holds = row.arity == 2 && for_all(row, kFinite, [&](double a, double b, double) {
                         return same(row.scalar(a, b, 0), row.scalar(b, a, 0));
                       });
    EXPECT_EQ(row.has(kCommutative), holds) << row.name;
  }
}

// Of operations that give numbers. A power of whole numbers is whole where it is no fraction.
TEST(IrOperations, ThoseThatKeepIntegersAndNoOthersAreMarked) {
  const std::vector<double> whole = {1, 2, 3, -1, -2, -3};
  for (const OpInfo& row : elementwise_rows()) {
    if (row.signature != Signature::numeric && row.signature != Signature::floating) continue;
    const bool rounds =
        for_all(row, kFinite, [&](double a, double b, double) { return is_whole(row.scalar(a, b, 0)); });
    const bool keeps = for_all(row, whole, [&](double a, double b, double) {
      return (row.op == Op::pow && b < 0) || is_whole(row.scalar(a, b, 0));
    });
    EXPECT_EQ(row.has(kRounds) || row.has(kIntegers), keeps) << row.name;
    EXPECT_TRUE(!row.has(kRounds) || rounds) << row.name;
  }
}

TEST(IrOperations, DivisionsAndNoOthersAreMarked) {
  for (const OpInfo& row : elementwise_rows()) {
    if (row.arity != 2) continue;
    const bool divides =
        for_all(row, kFinite, [&](double a, double, double) { return !std::isfinite(row.scalar(a, 0, 0)); });
    EXPECT_EQ(row.has(kDivides), divides) << row.name;
  }
}

// What is not finite in one operand is seen in the result, whatever the other operands are.
bool shows(const OpInfo& row, std::size_t operand) {
  std::vector<double> all = kFinite;
  all.insert(all.end(), kNotFinite.begin(), kNotFinite.end());
  return for_all(row, all, [&](double a, double b, double c) {
    const double operands[] = {a, b, c};
    return std::isfinite(operands[operand]) || !std::isfinite(row.scalar(a, b, c));
  });
}

// Guarded stores rely on it: a value that is looked at stands for those that it shows.
TEST(IrOperations, OperationsSaidToShowWhatIsNotFiniteDo) {
  for (const OpInfo& row : elementwise_rows()) {
    for (int operand = 0; operand < row.arity; ++operand) {
      const bool said = row.has(kShows) || (row.has(kShowsFirst) && operand == 0);
      EXPECT_TRUE(!said || shows(row, static_cast<std::size_t>(operand))) << row.name << " operand " << operand;
    }
  }
}

TEST(IrOperations, WhatMovesGivesAnOperandAndNothingElse) {
  for (const OpInfo& row : elementwise_rows()) {
    const bool moves = for_all(row, kFinite, [&](double a, double b, double c) {
      const double y = row.scalar(a, b, c);
      return (row.arity < 3 && same(y, a)) || (row.arity == 3 && same(y, a != 0 ? b : c));
    });
    EXPECT_EQ(row.has(kMoves), moves) << row.name;
  }
}

TEST(IrOperations, ReductionsStartFromWhatChangesNothing) {
  for (const OpInfo& row : all_operations()) {
    if (!row.reduction) continue;
    const OpInfo& combine = info(row.reduction->combine);
    for (const double x : kFinite) {
      EXPECT_EQ(combine.scalar(row.reduction->identity, x, 0), x) << row.name;
      EXPECT_EQ(combine.scalar(x, row.reduction->identity, 0), x) << row.name;
    }
    EXPECT_TRUE(combine.has(kCommutative)) << row.name;
    EXPECT_EQ(gives_index(row.op), row.name.starts_with("arg")) << row.name;
  }
}

// An operation that its row says to be a function of the language can be called, and gives that operation.
TEST(IrOperations, FunctionsOfTheLanguageCanBeCalled) {
  std::size_t called = 0;
  for (const OpInfo& row : elementwise_rows()) {
    EXPECT_TRUE(row.notation.sign.empty() || row.notation.parameters.empty()) << row.name;
    if (row.notation.parameters.empty()) continue;
    ++called;
    const elaboration::Builtin* const builtin = elaboration::find_builtin(row.name);
    ASSERT_NE(builtin, nullptr) << row.name;
    ASSERT_EQ(elaboration::parameters_of(*builtin).size(), static_cast<std::size_t>(row.arity)) << row.name;
    std::string arguments = row.signature == Signature::select || row.signature == Signature::logical ? "x > 0" : "x";
    for (int i = 1; i < row.arity; ++i) arguments += ", x + 1";
    const std::string text = "model m { input x[3]; output y = f32(" + std::string(row.name) + "(" + arguments + ")) }";
    const frontend_test::Compiled compiled = frontend_test::compile(text);
    ASSERT_TRUE(compiled.result.program.has_value()) << compiled.messages();
    const Graph& graph = compiled.program().graphs.at("predict");
    bool found = false;
    for (NodeId id = 0; id < graph.size(); ++id) found = found || graph[id].op == row.op;
    EXPECT_TRUE(found) << text;
  }
  EXPECT_GT(called, 15U);
}

// Every function of a model that has all of them is in the table, and keeps what its row says.
TEST(ProgramFunctions, GraphsDoWhatTheirRowsSay) {
  const frontend_test::Compiled compiled = frontend_test::compile(
      "model m { input x[3]; output y = x |> normalization() |> batch_norm() |> dense(2) }\n"
      "train { target t[2]; loss mse(y, t); optimizer adam(); metric mae(y, t) }");
  ASSERT_TRUE(compiled.result.program.has_value()) << compiled.messages();
  const auto& graphs = compiled.program().graphs;
  EXPECT_EQ(graphs.size(), 6U);
  for (const auto& [name, graph] : graphs) {
    const FunctionInfo& function = function_named(name);
    bool stores = false, outputs = false, loss = false, samples = false;
    for (const GraphResult& result : graph.results()) {
      stores = stores || result.kind == ResultKind::store;
      outputs = outputs || result.kind == ResultKind::output;
      loss = loss || result.kind == ResultKind::loss;
    }
    for (NodeId id = 0; id < graph.size(); ++id) samples = samples || graph[id].op == Op::input;
    EXPECT_EQ(outputs, function.has(kPredicts)) << name;
    EXPECT_EQ(loss, function.has(kHasTargets)) << name;
    EXPECT_EQ(samples, !function.has(kRunsOnce)) << name;
    EXPECT_EQ(samples, function.has(kPredicts) || function.has(kTakesOrder)) << name;
    EXPECT_TRUE(!function.has(kGuards) || stores) << name;
    EXPECT_TRUE(!function.has(kPredicts) || !stores) << name;
  }
  EXPECT_EQ(find_function("data"), nullptr);
}

TEST(DataFormats, APathSaysWhatItIs) {
  const std::pair<const char*, const char*> cases[] = {
      {"a.csv", "csv"},
      {"a.tsv.gz", "csv"},
      {"folder/a.txt", "csv"},
      {"iris.data", "csv"},
      {"a.npy", "npy"},
      {"a.npz", "npz"},
      {"train-images-idx3-ubyte.gz", "idx"},
      {"t10k-labels-idx1", "idx"},
      {"a.idx", "idx"},
      {"a-idx.csv", "csv"},
      {"a.png", "images"},
      {"a.JPG", "images"},
      {"a.jpeg", "images"},
      {"folder-idx/a", ""},
      {"npz", ""},
      {"", ""},
  };
  for (const auto& [path, expected] : cases) {
    const DataFormat* const format = format_of_path(path);
    EXPECT_EQ(format == nullptr ? "" : format->name, expected) << path;
  }
  for (const DataFormat& format : data_formats()) EXPECT_EQ(find_format(format.name), &format);
  EXPECT_EQ(find_format(""), nullptr);
  EXPECT_EQ(format_of_folders().name, "images");
}

}  // namespace
}  // namespace tarn
