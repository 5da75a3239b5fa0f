// Which rows of which files every command reads, in every format of data: the same model and numbers, asked for in all
// ways that there are. A new command or format is a row of a table here.
#include <gmock/gmock.h>

#include "runtime/data/validation_split.h"
#include "tests/runtime/data_rows_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;

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
