// Which rows of which files every command reads, in every format of data: the same model and numbers, asked for in all
// ways that there are. A new command or format is a row of a table here.
#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>

#include "runtime/npy.h"
#include "runtime/npz.h"
#include "runtime/validation_split.h"
#include "tests/unit/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kFormats = {"csv", "npy", "npz", "idx"};

bool has_file_for_each(const std::string& format) { return format == "npy" || format == "idx"; }

// Rows (a, b) of the input x, and their target t.
struct Samples {
  std::vector<std::vector<double>> x;
  std::vector<double> t;
};

// Rows that say their own number, with targets that make each row's loss `offset` squared.
Samples numbered(int rows, double first, double offset = 0) {
  Samples samples;
  for (int i = 0; i < rows; ++i) {
    samples.x.push_back({first + i, static_cast<double>(i % 3)});
    samples.t.push_back(first + i + i % 3 + offset);
  }
  return samples;
}

std::string number(double value) {
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

// ---------------------------------------------------------------- order

// What `predict` has to write: the inputs, row by row.
std::string csv_of(const Samples& samples) {
  std::string text = "y[0],y[1]\n";
  for (const auto& row : samples.x) text += fmt::format("{},{}\n", row[0], row[1]);
  return text;
}

TEST_F(DataRows, PredictionsAreInTheOrderOfTheFile) {
  const Samples own = numbered(13, 0), other = numbered(9, 100);
  for (const std::string& format : kFormats) {
    const std::string others = data(format, "other", other), lines = data(format, "own", own);
    for (const std::string shuffled : {"", "  shuffle_rows 7\n"}) {
      for (const std::string& block :
           {"data {\n" + lines + shuffled + "}\n",
            "data {\n" + others + shuffled + "}\ndata test {\n" + lines + shuffled + "}\n"}) {
        write_model(block);
        SCOPED_TRACE(format + block);
        EXPECT_EQ(predicted(""), csv_of(own));
        const std::string options = given(format, "other", false);
        EXPECT_EQ(predicted(options), csv_of(other));
        EXPECT_EQ(predicted(options + " -o out.csv"), "");
        EXPECT_EQ(read_text(folder_ / "out.csv"), csv_of(other));
        EXPECT_EQ(events(predicted(options + " --json")).front()["outputs"]["y"], json(other.x));
        EXPECT_EQ(predicted(options + " -o out.npy"), "");
        const Result<Array> array = read_npy((folder_ / "out.npy").string());
        ASSERT_TRUE(array.has_value());
        std::vector<double> all;
        for (const auto& row : other.x) all.insert(all.end(), row.begin(), row.end());
        EXPECT_EQ(array->to_doubles(), all);
      }
    }
  }
}

// ---------------------------------------------------------------- files

TEST_F(DataRows, EveryCommandReadsTheFilesThatItIsGiven) {
  for (const std::string& format : kFormats) {
    SCOPED_TRACE(format);
    write_model("data {\n" + data(format, "own", numbered(6, 0)) + "}\n");
    data(format, "other", numbered(4, 50, 10));
    const std::string other = given(format, "other", true);
    EXPECT_EQ(tarn("eval m.tarn --quiet").out, "6 samples  loss 0.0000\n");
    EXPECT_EQ(tarn("eval m.tarn --quiet" + other).out, "4 samples  loss 100.0000\n");
    EXPECT_EQ(tarn("train m.tarn --quiet -o w.npz" + other).out, "loss 100.0000\n");
    EXPECT_EQ(tarn("train m.tarn --quiet -o w.npz" + given(format, "other", true, "--validation")).out,
              "loss 0.0000  val_loss 100.0000\n");
    EXPECT_EQ(tarn("train m.tarn --quiet -o w.npz" + other + given(format, "own", true, "--validation")).out,
              "loss 100.0000  val_loss 0.0000\n");
  }
}

TEST_F(DataRows, OneArrayIsForTheOnlyInput) {
  const Samples other = numbered(4, 50);
  for (const std::string format : {"npy", "idx"}) {
    write_model("data {\n" + data(format, "own", numbered(6, 0)) + "}\n");
    data(format, "other", other);
    EXPECT_EQ(predicted("--data other_x." + format), csv_of(other)) << format;
  }
}

struct Unread {
  std::string arguments;
  // For formats with one file for all inputs, and for those with one for each; "" where it is right.
  std::string together, apart;
};

TEST_F(DataRows, AFileThatNobodyReadsIsAnError) {
  const std::string no_name = "file for all inputs", no_input = "no input or target 'nope'",
                    twice = "exclude each other";
  const Unread rows[] = {
      {"eval m.tarn --data nope=PATH", no_name, no_input},
      {"train m.tarn --data nope=PATH", no_name, no_input},
      {"predict m.tarn --data nope=PATH", no_name, no_input},
      {"train m.tarn --validation nope=PATH", no_name, no_input},
      {"eval m.tarn --data test=PATH", no_name, "no input or target 'test'"},
      {"predict m.tarn --data t=PATH", no_name, "'t' is not read here; predictions read x"},
      {"eval m.tarn --data x=PATH", no_name, ""},
      {"train m.tarn --validation x=PATH", no_name, "no file is given for 't'"},
      {"eval m.tarn --data PATH", "", "one array cannot be x and t at once; write --data x="},
      {"train m.tarn --data PATH", "", "one array cannot be x and t at once"},
      {"train m.tarn --validation PATH", "", "one array cannot be x and t at once; write --validation x="},
      {"predict m.tarn --data PATH --data PATH", twice, twice},
      {"predict m.tarn --data x=PATH --data x=PATH", no_name, twice},
      {"predict m.tarn --data PATH --input 1,2", twice, twice},
      {"eval m.tarn --data nowhere/PATH", "nowhere/", "one array cannot be"},
      {"predict m.tarn --data nowhere/PATH", "nowhere/", "nowhere/"},
  };
  for (const std::string& format : kFormats) {
    write_model("data {\n" + data(format, "own", numbered(6, 0)) + "}\n");
    const bool apart = has_file_for_each(format);
    const std::string path = apart ? "own_x." + format : "own." + format;
    for (const Unread& row : rows) {
      std::string arguments = row.arguments;
      for (std::size_t at = arguments.find("PATH"); at != std::string::npos; at = arguments.find("PATH"))
        arguments.replace(at, 4, path);
      const std::string& message = apart ? row.apart : row.together;
      const Outcome outcome = tarn(arguments + " --quiet");
      SCOPED_TRACE(format + ": " + arguments);
      EXPECT_EQ(outcome.status, message.empty() ? 0 : 1) << outcome.err;
      EXPECT_THAT(outcome.err, HasSubstr(message));
      EXPECT_EQ(outcome.out.empty(), !message.empty()) << outcome.out;
    }
  }
}

TEST(ValidationSplit, LeavesTheWholeRowsThatTheFractionSays) {
  Program program;
  for (std::uint64_t percent = 0; percent < 100; ++percent) {
    program.settings.validation_split = static_cast<double>(percent) / 100;
    for (std::uint64_t rows = 1; rows < 400; ++rows)
      ASSERT_EQ(rows_for_training(program, rows), rows * (100 - percent) / 100) << percent << " % of " << rows;
  }
}

// ---------------------------------------------------------------- values

// The samples with one value replaced in the second of three rows.
Samples spoiled(const std::string& where, double value) {
  Samples samples = numbered(3, 1);
  (where == "t" ? samples.t[1] : samples.x[1][1]) = value;
  return samples;
}

std::string second_row(const std::string& format) { return format == "csv" ? ".csv:3: " : "row 2: "; }

TEST_F(DataRows, ValuesThatAreNoNumbersAreErrorsWhereTheyStand) {
  struct Value {
    double value;
    std::string message;
  };
  const Value values[] = {{std::nan(""), "missing"},
                          {std::numeric_limits<double>::infinity(), "takes a finite number, here is"},
                          {-std::numeric_limits<double>::infinity(), "takes a finite number, here is"},
                          {1e39, "here is 1e"}};
  for (const std::string& format : kFormats) {
    write_model("data {\n" + data(format, "own", numbered(3, 0)) + "}\n");
    for (const Value& value : values) {
      for (const std::string where : {"x", "t"}) {
        data(format, "bad", spoiled(where, value.value));
        const std::string bad = given(format, "bad", true);
        for (const std::string& command : {"eval m.tarn" + bad, "train m.tarn -o w.npz" + bad,
                                           "train m.tarn -o w.npz" + given(format, "bad", true, "--validation")}) {
          const Outcome outcome = tarn(command + " --quiet");
          EXPECT_EQ(outcome.status, 1) << format << " " << command;
          EXPECT_THAT(outcome.err, HasSubstr(second_row(format))) << format << " " << command;
          EXPECT_THAT(outcome.err, HasSubstr(value.message)) << format << " " << command;
          EXPECT_FALSE(exists("w.npz")) << format << " " << command;
        }
        const Outcome outcome = tarn("predict m.tarn --quiet" + given(format, "bad", false));
        EXPECT_EQ(outcome.status, where == "t" ? 0 : 1) << format << ": targets are not read" << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(where == "x" ? second_row(format) : ""));
      }
    }
  }
}

TEST_F(DataRows, RowsWithMissingValuesAreLeftOutAndCounted) {
  for (const std::string& format : kFormats) {
    SCOPED_TRACE(format);
    for (const std::string where : {"x", "t"}) {
      write_model("data {\n" + data(format, "own", spoiled(where, std::nan(""))) + "  drop_missing\n}\n");
      const Outcome evaluated = tarn("eval m.tarn");
      EXPECT_EQ(evaluated.out, "2 samples  loss 0.0000\n") << evaluated.err;
      EXPECT_THAT(evaluated.err, HasSubstr("1 of 3 rows of 'own"));
      EXPECT_THAT(tarn("train m.tarn -o w.npz").err, HasSubstr("1 of 3 rows of 'own"));
      const Outcome outcome = tarn("predict m.tarn");
      EXPECT_EQ(outcome.out, where == "t" ? "y[0],y[1]\n1,0\n2,1\n3,2\n" : "y[0],y[1]\n1,0\n,\n3,2\n");
      EXPECT_EQ(outcome.err.find("1 of 3 rows") == std::string::npos, where == "t") << outcome.err;
      if (where == "t") continue;
      EXPECT_EQ(events(predicted("--json")).front()["outputs"]["y"].dump(), "[[1.0,0.0],null,[3.0,2.0]]");
      predicted("-o out.npy");
      const Result<Array> array = read_npy((folder_ / "out.npy").string());
      ASSERT_TRUE(array.has_value());
      EXPECT_EQ(array->shape, (std::vector<std::int64_t>{3, 2}));
      EXPECT_TRUE(std::isnan(array->at(2)) && std::isnan(array->at(3)));
      EXPECT_EQ(array->at(4), 3);
    }
  }
}

// ---------------------------------------------------------------- classes and indices

TEST_F(DataRows, IndicesOutsideOfTheirTableAreErrors) {
  for (const std::string& format : kFormats) {
    for (const double index : {3.0, -1.0, 0.5, 1e10, -std::nan("")}) {
      Samples samples = numbered(3, 1);
      samples.x = {{0, 1}, {1, index}, {2, 0}};
      write("m.tarn",
            "model m {\n  input x[2]: i32\n  output y = x |> embedding(3, 2)\n}\n"
            "train {\n  target t\n  loss mean_squared_error(sum(y), t)\n  optimizer sgd\n}\ndata {\n" +
                data(format, "own", samples) + "}\n");
      for (const char* command : {"train", "eval", "predict"}) {
        const Outcome outcome = tarn(fmt::format("{} m.tarn --quiet", command));
        EXPECT_EQ(outcome.status, 1) << format << " " << command << " " << index;
        EXPECT_THAT(outcome.err, HasSubstr(second_row(format)));
        EXPECT_THAT(outcome.err, HasSubstr(std::isnan(index) ? "missing" : "'x' takes an index from 0 to 2, here is "));
      }
    }
  }
}

// ---------------------------------------------------------------- shapes

TEST_F(DataRows, TheShapeOfASampleMustBeThatOfItsInput) {
  struct Case {
    std::string input;
    std::vector<std::int64_t> array;
    bool right;
  };
  const Case cases[] = {{"[3, 2, 2]", {1, 3, 2, 2}, true}, {"[3, 2, 2]", {1, 2, 2, 3}, false},
                        {"[3, 2, 2]", {1, 12}, true},      {"[3, 2, 2]", {1, 3, 4}, false},
                        {"[12]", {1, 2, 2, 3}, true},      {"[3, 4]", {1, 3, 4, 1}, true},
                        {"[1, 3, 4]", {1, 3, 4}, true},    {"[3, 4]", {1, 4, 3}, false},
                        {"[3, 4]", {1, 13}, false},        {"[12, 1]", {1, 12}, true}};
  for (const Case& c : cases) {
    write("m.tarn", "model m {\n  input x" + c.input + "\n  output y = sum(x)\n}\ndata {\n  npy x = \"x.npy\"\n}\n");
    EXPECT_TRUE(write_npy((folder_ / "x.npy").string(), Array::zeros(ArrayType::f32, c.array)));
    const Outcome outcome = tarn("predict m.tarn --quiet");
    EXPECT_EQ(outcome.status, c.right ? 0 : 1) << c.input << format_shape(c.array) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.right ? "" : "'x' is " + c.input));
  }
}

// ---------------------------------------------------------------- what results are made of

TEST_F(DataRows, ResultsNeverOverwriteWhatTheyWereMadeOf) {
  const std::string model =
      "import \"lib.tarn\"\nmodel m {\n  input x[2]\n  output y = twice(x)\n}\ntrain {\n  target t\n  loss "
      "mean_squared_error(sum(y |> dense(1)), t)\n  optimizer sgd(lr = 0)\n}\n";
  write("lib.tarn", "fn twice(x) = 2 * x\n");
  write("m.tarn", model + "data {\n" + data("csv", "own", numbered(4, 0)) + "}\ndata test {\n  csv \"test.csv\"\n}\n");
  data("csv", "test", numbered(4, 0));
  data("csv", "given", numbered(4, 0));
  ASSERT_EQ(tarn("train m.tarn --quiet").status, 0);
  fs::create_directory(folder_ / "sub");
  struct Result {
    std::string command, what;
    std::vector<std::string> may_replace;  // sources
  };
  const Result results[] = {
      {"predict m.tarn --data given.csv -o RESULT", "-o", {}},
      {"train m.tarn --data given.csv -o RESULT", "-o", {"m.safetensors"}},
      {"train m.tarn --data given.csv --history RESULT", "--history", {}},
      {"train m.tarn --data given.csv --report RESULT", "--report", {}},
      {"compile m.tarn --weights m.safetensors -o m.o --header RESULT", "--header", {"given.csv"}},
  };
  const std::map<std::string, std::string> sources = {{"m.tarn", "the model file"},
                                                      {"lib.tarn", "a file that the model imports"},
                                                      {"own.csv", "a data file of the model"},
                                                      {"test.csv", "a data file of the model"},
                                                      {"given.csv", "a data file"},
                                                      {"m.safetensors", "the weights file"}};
  for (const auto& [source, role] : sources) {
    const std::string before = read_text(folder_ / source);
    std::error_code ignored;
    fs::create_symlink(folder_ / source, folder_ / ("soft_" + source), ignored);
    fs::create_hard_link(folder_ / source, folder_ / ("hard_" + source), ignored);
    for (const Result& result : results) {
      if (std::ranges::find(result.may_replace, source) != result.may_replace.end()) continue;
      for (const std::string& name :
           {source, "./sub/../" + source, (folder_ / source).string(), "soft_" + source, "hard_" + source}) {
        std::string command = result.command;
        command.replace(command.find("RESULT"), 6, name);
        const Outcome outcome = tarn(command + " --quiet");
        EXPECT_EQ(outcome.status, 1) << command;
        EXPECT_THAT(outcome.err, HasSubstr(fmt::format("{} is {}: '{}'", result.what, role, name))) << command;
        ASSERT_EQ(read_text(folder_ / source), before) << command;
        EXPECT_FALSE(exists("m.o")) << command;
      }
    }
  }
}

TEST_F(DataRows, TwoResultsHaveTwoNames) {
  write_model("data {\n" + data("csv", "own", numbered(4, 0)) + "}\n");
  for (const char* options : {"-o r.npz --history r.npz", "--history r --report ./r", "--history m.safetensors",
                              "--checkpoint c --history c/checkpoint.safetensors"}) {
    const Outcome outcome = tarn(fmt::format("train m.tarn --quiet {}", options));
    EXPECT_EQ(outcome.status, 1) << options;
    EXPECT_TRUE(outcome.out.empty()) << options;
  }
  EXPECT_EQ(tarn("compile m.tarn -o m.o --header m.o").status, 1);
  EXPECT_EQ(tarn("train m.tarn --quiet -o /dev/null --history /dev/null").status, 0) << "a device loses nothing";
  EXPECT_EQ(tarn("predict m.tarn --quiet -o out.txt").status, 1);
  EXPECT_FALSE(exists("out.txt"));
  EXPECT_EQ(tarn("predict m.tarn --quiet -o /dev/null").status, 0);
}

}  // namespace
}  // namespace tarn::driver_test
