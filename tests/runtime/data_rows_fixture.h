// The same model and numbers in every format of data, for tests of which rows commands read and of what values.
#pragma once

#include <bit>
#include <cmath>

#include "runtime/files/npy.h"
#include "runtime/files/npz.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {

inline const std::vector<std::string> kFormats = {"csv", "npy", "npz", "idx"};

inline bool has_file_for_each(const std::string& format) { return format == "npy" || format == "idx"; }

// Rows (a, b) of the input x, and their target t.
struct Samples {
  std::vector<std::vector<double>> x;
  std::vector<double> t;
};

// Rows that say their own number, with targets that make each row's loss `offset` squared.
inline Samples numbered(int rows, double first, double offset = 0) {
  Samples samples;
  for (int i = 0; i < rows; ++i) {
    samples.x.push_back({first + i, static_cast<double>(i % 3)});
    samples.t.push_back(first + i + i % 3 + offset);
  }
  return samples;
}

inline std::string number(double value) {
  if (std::isnan(value)) return "nan";
  return std::isinf(value) ? (value > 0 ? "inf" : "-inf") : fmt::format("{}", value);
}

class DataRows : public Driver {
 protected:
  // Writes the samples, as f64, into the files that a data block of this format names, and gives its lines.
  std::string data(const std::string& format, const std::string& name, const Samples& samples) const {
    std::vector<double> x;
    std::string csv = "a,b,t\n";
    for (std::size_t i = 0; i < samples.x.size(); ++i) {
      x.insert(x.end(), samples.x[i].begin(), samples.x[i].end());
      csv += fmt::format("{},{},{}\n", number(samples.x[i][0]), number(samples.x[i][1]), number(samples.t[i]));
    }
    const auto rows = static_cast<std::int64_t>(samples.x.size());
    const Array inputs = Array::from_doubles(ArrayType::f64, {rows, 2}, x);
    const Array targets = Array::from_doubles(ArrayType::f64, {rows}, samples.t);
    if (format == "csv") {
      write(name + ".csv", csv);
      return fmt::format("  csv \"{}.csv\"\n  x = columns(\"a\", \"b\")\n  t = column(\"t\")\n", name);
    }
    if (format == "npz") {
      const std::vector<NamedArray> arrays = {{"x", inputs}, {"t", targets}};
      EXPECT_TRUE(write_npz((folder_ / (name + ".npz")).string(), views_of(arrays)));
      return fmt::format("  npz \"{}.npz\"\n", name);
    }
    for (const auto& [array, role] : {std::pair(&inputs, "x"), std::pair(&targets, "t")}) {
      const std::string path = (folder_ / fmt::format("{}_{}.{}", name, role, format)).string();
      if (format == "npy") {
        EXPECT_TRUE(write_npy(path, *array));
      } else {
        test::write_text(path, idx(*array));
      }
    }
    return fmt::format("  {0} x = \"{1}_x.{0}\", t = \"{1}_t.{0}\"\n", format, name);
  }

  // The options that give these files instead.
  static std::string given(const std::string& format, const std::string& name, bool targets,
                           const std::string& option = "--data") {
    if (!has_file_for_each(format)) return fmt::format(" {} {}.{}", option, name, format);
    std::string text = fmt::format(" {} x={}_x.{}", option, name, format);
    if (targets) text += fmt::format(" {} t={}_t.{}", option, name, format);
    return text;
  }

  // y = x, and a loss of the square of x[0] + x[1] - t: the numbers say which rows were read.
  void write_model(const std::string& blocks) const {
    write("m.tarn",
          "model m {\n  input x[2]\n  param w = 1\n  output y = w * x\n}\n"
          "train {\n  target t\n  loss mean_squared_error(sum(y), t)\n  optimizer sgd(lr = 0)\n  batch 4\n}\n" +
              blocks);
  }

  std::string predicted(const std::string& arguments) const {
    const Outcome outcome = tarn("predict m.tarn --quiet " + arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }

 private:
  static std::string idx(const Array& array) {
    std::string text = {0, 0, 0x0E, static_cast<char>(array.shape.size())};
    const auto append = [&](std::uint64_t bits, int bytes) {
      for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(bits >> (8 * i) & 0xFF);
    };
    for (const std::int64_t extent : array.shape) append(static_cast<std::uint64_t>(extent), 4);
    for (const double value : array.to_doubles()) append(std::bit_cast<std::uint64_t>(value), 8);
    return text;
  }
};

}  // namespace tarn::driver_test
