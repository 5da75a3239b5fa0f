// Runs of `fit` that keras_fits.py had Keras do (tests/data/keras/fits_run.json), done by `tarn train` in double
// precision: the same history, epoch by epoch, and the same weights at the end. Both compute in f64, in different
// orders; 1e-9 is far above what rounding makes of that in so few steps, and far below any difference of meaning. Each
// run compiles its model, which takes most of the time.
#include <algorithm>
#include <cmath>

#include "runtime/session/weights.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

constexpr double kTolerance = 1e-9;

std::map<std::string, std::vector<double>> columns_of(const std::string& csv) {
  std::map<std::string, std::vector<double>> columns;
  std::vector<std::string> names;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    const bool is_header = names.empty();
    std::size_t column = 0;
    for (std::string cell; std::getline(cells, cell, ',');) {
      if (is_header) {
        names.push_back(cell);
      } else {
        columns[names.at(column++)].push_back(std::stod(cell));
      }
    }
  }
  return columns;
}

void expect_near(const std::vector<double>& values, const std::vector<double>& expected, const std::string& what) {
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], kTolerance * (1 + std::fabs(expected[i]))) << what << "[" << i << "]";
}

TEST_F(Driver, TrainsAsKerasDoes) {
  const json cases = json::parse(read_text(test::source_folder() / "tests/data/keras/fits_run.json"));
  ASSERT_GE(cases.size(), 37U);
  for (const json& run : cases) {
    SCOPED_TRACE(run["test"].get<std::string>());
    for (const auto& [name, text] : run["files"].items()) write(name, text.get<std::string>());
    const Outcome trained = tarn(fmt::format("train m.tarn --precision f64 --quiet --history h.csv -o w.npz {}",
                                             run["options"].get<std::string>()));
    ASSERT_EQ(trained.status, 0) << trained.err;
    const auto history = columns_of(read_text(folder_ / "h.csv"));
    for (const auto& [name, values] : run["history"].items()) {
      ASSERT_TRUE(history.contains(name)) << "no column " << name;
      expect_near(history.at(name), values.get<std::vector<double>>(), name);
    }
    const Result<WeightsFile> weights = read_weights((folder_ / "w.npz").string());
    ASSERT_TRUE(weights.has_value());
    for (const auto& [name, values] : run["weights"].items()) {
      const auto is_named = [&](const NamedArray& tensor) { return tensor.name == name; };
      const auto tensor = std::find_if(weights->tensors.begin(), weights->tensors.end(), is_named);
      ASSERT_NE(tensor, weights->tensors.end()) << name;
      expect_near(tensor->array.to_doubles(), values.get<std::vector<double>>(), name);
    }
  }
}

}  // namespace
}  // namespace tarn::driver_test
