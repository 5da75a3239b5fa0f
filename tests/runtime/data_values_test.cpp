// Which values data may have, in every format: what is no number, is missing, or is no class or index, and how samples
// are shaped.
#include <gmock/gmock.h>

#include <limits>

#include "tests/runtime/data_rows_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;

using DataValues = DataRows;

// The samples with one value replaced in the second of three rows.
Samples spoiled(const std::string& where, double value) {
  Samples samples = numbered(3, 1);
  (where == "t" ? samples.t[1] : samples.x[1][1]) = value;
  return samples;
}

std::string second_row(const std::string& format) { return format == "csv" ? ".csv:3: " : ": row 2"; }

TEST_F(DataValues, ValuesThatAreNoNumbersAreErrorsWhereTheyStand) {
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

TEST_F(DataValues, RowsWithMissingValuesAreLeftOutAndCounted) {
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

// An empty line would be passed over by many readers, and the rows below it shifted.
TEST_F(DataValues, ASingleColumnHasALineForEachRow) {
  write(
      "m.tarn",
      "model m {\n  input x\n  output y = x + 0\n}\ndata {\n  csv \"d.csv\"\n  x = column(\"x\")\n  drop_missing\n}\n");
  write("d.csv", "x\n1\n\n3\n");
  EXPECT_EQ(predicted(""), "y\n1\nnan\n3\n");
  predicted("-o out.csv");
  EXPECT_EQ(read_text(folder_ / "out.csv"), "y\n1\nnan\n3\n");
}

// ---------------------------------------------------------------- classes and indices

TEST_F(DataValues, IndicesOutsideOfTheirTableAreErrors) {
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

// Three classes, and a second row of data with a target that is none of them.
TEST_F(DataValues, ClassesThatDoNotExistAreErrors) {
  const auto write_classifier = [&](const std::string& reader, const std::string& data) {
    write("m.tarn", "model m {\n  input x[2]\n  output y = x |> dense(3, softmax)\n}\ntrain {\n  target t\n  " +
                        reader + "\n  optimizer sgd\n}\ndata {\n" + data + "}\n");
  };
  const auto with_class = [](double number) {
    Samples samples = numbered(3, 0);
    samples.t = {0, number, 2};
    return samples;
  };
  const std::string cross_entropy = "loss sparse_categorical_crossentropy(y, t)";
  for (const std::string& format : kFormats) {
    write_classifier(cross_entropy, data(format, "own", with_class(1)));
    for (const double number : {3.0, -1.0, 0.5, 1e10}) {
      data(format, "bad", with_class(number));
      for (const std::string& arguments :
           {"train m.tarn -o w.npz" + given(format, "bad", true), "eval m.tarn" + given(format, "bad", true),
            "train m.tarn -o w.npz" + given(format, "bad", true, "--validation")}) {
        const Outcome outcome = tarn(arguments + " --quiet");
        SCOPED_TRACE(fmt::format("{} {}", number, arguments));
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err, HasSubstr(second_row(format)));
        EXPECT_THAT(outcome.err, HasSubstr("'t' takes a class from 0 to 2, here is "));
        EXPECT_FALSE(exists("w.npz"));
      }
    }
  }
  // Whatever reads it says the same.
  for (const std::string& reader :
       {std::string("loss categorical_generalized_cross_entropy(y, t)"),
        std::string("loss mean_squared_error(y, 0)\n  metric accuracy(y, t)"),
        std::string("loss mean_squared_error(y, 0)\n  metric confusion_matrix(y, t)"),
        std::string("loss mean_squared_error(y, 0)\n  metric sparse_top_k_categorical_accuracy(y, t, k = 2)"),
        std::string("loss mean_squared_error(y, 0)\n  metric sparse_categorical_crossentropy(y, t)")}) {
    write_classifier(reader, data("csv", "own", with_class(3)));
    const Outcome outcome = tarn("eval m.tarn --quiet");
    EXPECT_EQ(outcome.status, 1) << reader;
    EXPECT_THAT(outcome.err, HasSubstr("own.csv:3: 't' takes a class from 0 to 2, here is 3")) << reader;
  }
  // What a loss leaves out may stand in the data of every format.
  for (const std::string& format : kFormats) {
    write_classifier("loss sparse_categorical_crossentropy(y, t, ignore_class = -1)",
                     data(format, "own", with_class(-1)));
    EXPECT_EQ(tarn("eval m.tarn --quiet").status, 0) << format;
  }
}

// ---------------------------------------------------------------- shapes

TEST_F(DataValues, TheShapeOfASampleMustBeThatOfItsInput) {
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

// Scaled in place or into another type, the message has the number of the file.
TEST_F(DataValues, AValueIsNamedAsItStandsInTheFile) {
  const std::vector<double> numbers = {1, 2, 3, 1024000000};
  for (const ArrayType type : {ArrayType::f32, ArrayType::f64}) {
    write("m.tarn",
          "model m {\n  input x[2]\n  output y = x + 0\n}\ndata {\n  npy x = \"x.npy\"\n  x = scale(x, 1e30)\n}\n");
    EXPECT_TRUE(write_npy((folder_ / "x.npy").string(), Array::from_doubles(type, {2, 2}, numbers)));
    const Outcome outcome = tarn("predict m.tarn --quiet");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("x.npy: row 2, column 2: 'x' takes a finite number (f32), here is 1024000000, "
                                       "times 1e+30"));
  }
  write("m.tarn", "model m {\n  input x[2, 3]\n  output y = sum(x)\n}\ndata {\n  npy x = \"x.npy\"\n}\n");
  std::vector<double> values(12);
  values[10] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(write_npy((folder_ / "x.npy").string(), Array::from_doubles(ArrayType::f64, {2, 2, 3}, values)));
  EXPECT_THAT(tarn("predict m.tarn").err, HasSubstr("x.npy: row 2, at [1, 1]: 'x' takes a finite number, here is inf"));
}

}  // namespace
}  // namespace tarn::driver_test
