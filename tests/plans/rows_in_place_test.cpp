// Inputs that products read where the caller has them: which are, and that training and evaluating on rows in an order
// gives the bits that the same rows give where they lie in that order, which are read without one.
#include "passes/tactics/rows_in_place.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "ir/random.h"
#include "runtime/session/session.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/guarded_arrays.h"

namespace tarn {
namespace {

// `layers` is what becomes of x.
std::string model_of(const std::string& shape, const std::string& layers, int batch) {
  return fmt::format(
      "model m {{\n  input x[{}]\n  output y = {}\n}}\ntrain {{\n  target t[3]\n  loss mean_squared_error(y, t)\n"
      "  optimizer adam(lr = 0.01)\n  metric mean_absolute_error(y, t)\n  batch {}\n}}\n",
      shape, layers, batch);
}

TEST(RowsInPlace, LongRowsThatOnlyProductsRead) {
  struct Case {
    std::string shape, layers;
    bool train, evaluate;  // whether x is read in place
  };
  const std::vector<Case> cases = {
      {"784", "x |> dense(128, relu) |> dense(3)", true, true},
      {"784", "dense(32, relu)(x) + dense(32)(x) |> dense(3)", true, true},
      {"128", "x |> dense(128, relu) |> dense(3)", true, true},
      // Of 508 bytes.
      {"127", "x |> dense(128, relu) |> dense(3)", false, false},
      // The gradient walks down columns of rows that are whole pages.
      {"1024", "x |> dense(128, relu) |> dense(3)", false, true},
      // What something else reads, too.
      {"784", "concat(dense(128, relu)(x), x) |> dense(3)", false, false},
      {"784", "x |> dropout(0.5) |> dense(128, relu) |> dense(3)", false, true},
      {"784", "x * 2 |> dense(128) |> dense(3)", false, false},
      // A part of every row.
      {"784", "x[10 : 700] |> dense(128, relu) |> dense(3)", false, false},
  };
  // Without fused multiply-add they are gathered.
  const bool possible = target_of({})->has_fma;
  for (const Case& item : cases) {
    SCOPED_TRACE(item.shape + ": " + item.layers);
    const auto model = testing::compiled_model(model_of(item.shape, item.layers, 64));
    ASSERT_NE(model, nullptr);
    const auto in_place = [&](const char* function) -> bool {
      return inputs_in_place(model->plan().plans.at(function), model->program().inputs.size()).front();
    };
    EXPECT_EQ(in_place("train"), item.train && possible);
    EXPECT_EQ(in_place("evaluate"), item.evaluate && possible);
    EXPECT_FALSE(in_place("predict"));
  }
}

struct Data {
  Bytes x, t;
  std::uint64_t rows = 0;
  Rows view() const { return {{x.data(), t.data()}, rows}; }
};

template <class Float>
Data numbers(std::size_t width, std::uint64_t rows) {
  const auto fill = [](Bytes& bytes, std::size_t count, std::uint64_t key) {
    bytes.resize(count * sizeof(Float));
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<Float>(static_cast<double>(mix_bits(key + i) >> 40) / (1 << 23) - 1);
      std::memcpy(bytes.data() + i * sizeof(Float), &value, sizeof(Float));
    }
  };
  Data data;
  data.rows = rows;
  fill(data.x, width * rows, 1);
  fill(data.t, 3 * rows, 1ULL << 40);
  return data;
}

Data permuted(const Data& data, const testing::GuardedVector<std::uint32_t>& order) {
  Data result{data.x, data.t, order.size()};
  const auto permute = [&](const Bytes& from, Bytes& to) {
    const std::size_t row = from.size() / data.rows;
    for (std::size_t i = 0; i < order.size(); ++i) std::copy_n(from.data() + order[i] * row, row, to.data() + i * row);
  };
  permute(data.x, result.x);
  permute(data.t, result.t);
  return result;
}

struct Trained {
  Bytes state;
  MetricValues training, evaluation;
};

Trained train(const std::shared_ptr<Model>& model, int threads, const Rows& rows, const std::uint32_t* order) {
  Trained result;
  Session session(model, 5, threads);
  for (int epoch = 0; epoch < 2; ++epoch) {
    EXPECT_EQ(session.train(rows, order, result.training), Outcome::done);
  }
  EXPECT_EQ(session.evaluate(rows, result.evaluation), Outcome::done);
  result.state = session.state();
  return result;
}

// Batches of one row and of all, with a rest, of one tile and of many; sums over samples in one block and in several.
TEST(RowsInPlace, GiveTheBitsOfRowsThatLieInTheirOrder) {
  struct Run {
    const char* layers;
    int batch;
    std::uint64_t rows;
  };
  const std::vector<Run> runs = {{"x |> dense(40, tanh) |> dense(3)", 1, 4},
                                 {"x |> dense(24) |> dense(3)", 17, 40},
                                 {"dense(200, relu)(x) + dense(200)(x) |> dense(3)", 64, 150},
                                 {"x |> dense(302, relu) |> dense(3)", 2500, 2300}};
  for (const std::string& cpu : testing::cpus()) {
    if (!target_of(testing::options_for(cpu))->has_fma) continue;  // rows are gathered there
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const auto& [layers, batch, rows] : runs) {
        // Blocks of k are cut in one place for all.
        if (batch > 1000 && (cpu != "native" || dtype != DType::f32)) continue;
        const std::string text = model_of("300", layers, batch);
        SCOPED_TRACE(fmt::format("{} {} batch {}\n{}", cpu, name_of(dtype), batch, text));
        const auto model = testing::compiled_model(text, cpu, dtype);
        ASSERT_NE(model, nullptr);
        ASSERT_TRUE(inputs_in_place(model->plan().plans.at("train"), 2).front());
        const Data data = dtype == DType::f32 ? numbers<float>(300, rows) : numbers<double>(300, rows);
        testing::GuardedVector<std::uint32_t> order(rows);
        std::iota(order.begin(), order.end(), 0U);
        for (std::size_t i = rows - 1; i > 0; --i) std::swap(order[i], order[mix_bits(i) % (i + 1)]);
        for (const int threads : {1, 3}) {
          const Trained found = train(model, threads, data.view(), order.data());
          const Trained wanted = train(model, threads, permuted(data, order).view(), nullptr);
          EXPECT_EQ(found.state, wanted.state);
          EXPECT_EQ(found.training.values, wanted.training.values);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tarn
