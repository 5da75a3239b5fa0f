// Names of classes and categories, in every format of weights and for every command that goes on from weights: the
// expected names are those that stand in the rows of the tables themselves.
#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "runtime/files/csv.h"
#include "runtime/session/weights.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A category as an input, and targets of three kinds: text, numbers that are no class numbers, one probability.
constexpr const char* kNamedModel = R"(model m {
  input x[2]
  input color[3]
  output y = x |> dense(2, softmax)
  output z = x |> dense(2, softmax)
  output p = color |> dense(1, sigmoid)
  output back = x |> dense(2)
}
train {
  target t[2]
  target s[2]
  target q[1]
  loss categorical_crossentropy(y, t)
  loss categorical_crossentropy(z, s)
  loss binary_crossentropy(p, q)
  loss mean_squared_error(back, x)
  optimizer adam(lr = 0.3)
  epochs 120
  batch 4
}
data {
  csv "d.csv"
  x = columns("a", "b")
  color = one_hot(column("color"))
  t = one_hot(column("t"))
  s = one_hot(column("s"))
  q = ordinal(column("q"), 2)
}
)";

// The rows of the other table come the other way round, so that labels numbered anew would all be wrong, and their
// numbers are spelled in another way.
constexpr const char* kRows =
    "a,b,color,t,s,q\n1,1,red,\"cat, big\",5,yes\n0,1,green,dog,5,no\n1,0,blue,\"cat, big\",9,no\n0,0,green,dog,9,no\n";
constexpr const char* kOtherRows =
    "a,b,color,t,s,q\n0,0,green,dog,9.0,no\n1,0, blue ,\"cat, big\",9.0,no\n0,1,green,dog,5.0,no\n1,1,red,\"cat, big\","
    "5.0,yes\n";
constexpr const char* kLabels[][2] = {{"y.class", "t"}, {"z.class", "s"}, {"p.class", "q"}};

class Names : public Driver {
 protected:
  Names() {
    write("m.tarn", kNamedModel);
    write("d.csv", kRows);
    write("d2.csv", kOtherRows);
    EXPECT_EQ(tarn("train m.tarn --quiet -o w.npz --checkpoint ck").status, 0);
    EXPECT_EQ(tarn("train m.tarn --quiet -o w.safetensors").status, 0);
  }

  Table table(const std::string& name, const std::string& text) const {
    write(name, text);
    Result<Table> read = read_csv((folder_ / name).string());
    if (!read) throw std::runtime_error(read.error().front().message);
    return std::move(*read);
  }

  // Every class that was predicted for the rows of a table is the label that stands there.
  void expect_classes(const Outcome& predicted, const std::string& rows) const {
    ASSERT_EQ(predicted.status, 0) << predicted.err;
    const Table found = table("predicted.csv", predicted.out), expected = table("expected.csv", rows);
    ASSERT_EQ(found.rows(), expected.rows());
    EXPECT_THAT(predicted.out, Not(HasSubstr("back.class")));
    for (const auto& [output, label] : kLabels) {
      const auto column = found.find_column(output), wanted = expected.find_column(label);
      ASSERT_TRUE(column && wanted) << output << predicted.out;
      for (std::size_t row = 0; row < found.rows(); ++row)
        EXPECT_EQ(found.cell(row, *column), unquoted_label(expected.cell(row, *wanted))) << output << " of row " << row;
    }
  }
};

const char* const kFiles[] = {"w.safetensors", "w.npz", "ck/checkpoint.safetensors"};

TEST_F(Names, GoWithTheWeightsInEveryFormat) {
  for (const std::string file : kFiles) {
    SCOPED_TRACE(file);
    expect_classes(tarn(fmt::format("predict m.tarn --quiet --weights {}", file)), kRows);
    expect_classes(tarn(fmt::format("predict m.tarn --quiet --weights {} --data d2.csv", file)), kOtherRows);
    const Outcome evaluated = tarn(fmt::format("eval m.tarn --json --weights {} --data d2.csv", file));
    ASSERT_EQ(evaluated.status, 0) << evaluated.err;
    EXPECT_LT(events(evaluated.out).back()["loss"].get<double>(), 0.05);
    // Training on them goes on where the weights are, and hands the names on. A checkpoint has its epochs behind it.
    const int epochs = file.starts_with("ck/") ? 121 : 1;
    for (const char* output : {"on.safetensors", "on.npz"}) {
      const Outcome trained =
          tarn(fmt::format("train m.tarn --json --weights {} --data d2.csv --epochs {} -o {}", file, epochs, output));
      ASSERT_EQ(trained.status, 0) << trained.err;
      EXPECT_LT(events(trained.out).back()["loss"].get<double>(), 0.05);
      expect_classes(tarn(fmt::format("predict m.tarn --quiet --weights {} --data d2.csv", output)), kOtherRows);
    }
  }
  const Outcome resumed = tarn("train m.tarn --json --resume ck --data d2.csv --epochs 121 -o on.safetensors");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_LT(events(resumed.out).back()["loss"].get<double>(), 0.05);
  expect_classes(tarn("predict m.tarn --quiet --weights on.safetensors"), kRows);
}

TEST_F(Names, StandInJson) {
  const Outcome predicted = tarn("predict m.tarn --json --weights w.npz --data d2.csv");
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  const json classes = events(predicted.out).back()["classes"];
  EXPECT_EQ(classes, (json{{"y", {"dog", "cat, big", "dog", "cat, big"}},
                           {"z", {"9", "9", "5", "5"}},
                           {"p", {"no", "no", "no", "yes"}}}));
}

TEST_F(Names, LabelsThatTheWeightsDoNotKnowAreErrors) {
  const std::pair<const char*, const char*> unknown[] = {
      {"t", "0,0,green,bird,9,no\n"}, {"s", "0,0,green,dog,7,no\n"}, {"q", "0,0,green,dog,9,maybe\n"}};
  const std::string header = "a,b,color,t,s,q\n1,1,red,\"cat, big\",5,yes\n";
  for (const std::string file : kFiles) {
    for (const auto& [column, row] : unknown) {
      write("new.csv", header + row);
      for (const std::string& command : {"eval m.tarn --weights " + file, "train m.tarn -o o.npz --weights " + file,
                                         std::string("train m.tarn --resume ck --epochs 130 -o o.npz")}) {
        SCOPED_TRACE(command);
        const Outcome refused = tarn(command + " --data new.csv");
        EXPECT_EQ(refused.status, 1);
        EXPECT_THAT(refused.err, HasSubstr(fmt::format("new.csv:3: column '{}'", column)));
        EXPECT_FALSE(exists("o.npz"));
      }
    }
    write("new.csv", header + "0,0,black,dog,9,no\n");
    const Outcome refused = tarn(fmt::format("predict m.tarn --weights {} --data new.csv", file));
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("new.csv:3: column 'color': training did not see the label 'black'; it knows "
                                       "red, green, blue"));
  }
}

TEST_F(Names, AreOneListForEachTargetOfACompiledModel) {
  write("main.cpp", R"(#include "m.hpp"
#include <cstdio>
static void show(const char* name, std::span<const char* const> names) {
  std::printf("%s:", name);
  for (const char* one : names) std::printf(" '%s'", one);
  std::printf("\n");
}
int main() {
  show("first", m_model::class_names());
  for (const char* name : {"t", "s", "q", "color", "y", "z", "p", "back", "x"}) show(name, m_model::class_names(name));
  std::size_t count = 0;
  const char* const* const names = m_class_names_s(&count);
  std::printf("%s %zu\n", names[0], count);
}
)");
  const std::string expected =
      "first: 'cat, big' 'dog'\nt: 'cat, big' 'dog'\ns: '5' '9'\nq: 'yes' 'no'\ncolor: 'red' 'green' 'blue'\n"
      "y: 'cat, big' 'dog'\nz: '5' '9'\np: 'yes' 'no'\nback:\nx:\n5 2\n";
  for (const std::string file : kFiles) {
    SCOPED_TRACE(file);
    const Outcome compiled = tarn(fmt::format("compile m.tarn -o m.o --weights {} --data d2.csv", file));
    ASSERT_EQ(compiled.status, 0) << compiled.err;
    const test::Finished built = test::run(
        fmt::format("cd '{}' && c++ -std=c++20 -Wall -Wextra -Werror main.cpp m.o -o main 2>&1 && ./main >out.txt",
                    folder_.string()));
    ASSERT_EQ(built.status, 0) << built.output;
    EXPECT_EQ(read_text(folder_ / "out.txt"), expected);
  }
}

// Weights of others do not say what their classes are.
TEST_F(Names, AreNotMadeUpForForeignWeights) {
  for (const std::string name : {"foreign.npz", "foreign.safetensors"}) {
    SCOPED_TRACE(name);
    const auto file = read_tensor_file((folder_ / "w.npz").string());
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(write_tensor_file((folder_ / name).string(), views_of(file->tensors), {}).has_value());
    for (const char* command : {"eval m.tarn --data d2.csv", "eval m.tarn", "predict m.tarn --data d2.csv",
                                "train m.tarn --epochs 1 -o o.npz --data d2.csv"}) {
      const Outcome refused = tarn(fmt::format("{} --weights {}", command, name));
      EXPECT_EQ(refused.status, 1) << command;
      EXPECT_THAT(refused.err, HasSubstr("the weights do not name the classes of")) << command;
      EXPECT_THAT(refused.err, HasSubstr("tarn weights FILE --classes")) << command;
    }
    // Numbers of classes are what they are.
    write("numbers.csv", "a,b,color,t,s,q\n0,0,1,1,1,1\n1,1,0,0,0,0\n");
    const Outcome evaluated = tarn(fmt::format("eval m.tarn --json --data numbers.csv --weights {}", name));
    ASSERT_EQ(evaluated.status, 0) << evaluated.err;
    EXPECT_LT(events(evaluated.out).back()["loss"].get<double>(), 0.05);
    // And names can be given to them.
    const Outcome named = tarn(fmt::format(
        "weights {} --classes 't=[\"cat, big\", \"dog\"]' --classes 's=[\"5\", \"9\"]' --classes 'q=[\"yes\", \"no\"]' "
        "--classes 'color=[\"red\", \"green\", \"blue\"]'",
        name));
    ASSERT_EQ(named.status, 0) << named.err;
    expect_classes(tarn(fmt::format("predict m.tarn --quiet --weights {} --data d2.csv", name)), kOtherRows);
  }
}

TEST_F(Names, StayWhenWeightsAreConvertedOrChanged) {
  ASSERT_EQ(tarn("weights w.safetensors --npz c.npz").status, 0);
  ASSERT_EQ(tarn("weights c.npz --assign 'dense_1.bias=[0, 0]'").status, 0);
  const auto before = read_weights((folder_ / "w.safetensors").string());
  const auto after = read_weights((folder_ / "c.npz").string());
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->vocabularies.all(), after->vocabularies.all());
  EXPECT_EQ(before->vocabularies.names("s"), (std::vector<std::string>{"5", "9"}));
  EXPECT_EQ(after->model, "m");
}

// What labels in a table become; one is given by name, the rest by class number or an error.
struct LabelCase {
  const char* binding;  // of the target `t`, which has the type in front
  const char* type;
  const char* loss;
  const char* labels;              // of the rows, separated by |
  std::vector<std::string> names;  // learnt; none where labels are class numbers
  const char* problem = nullptr;   // instead
};

TEST_F(Driver, LabelsAreClassesByOneRule) {
  const char* const kCross = "categorical_crossentropy(y, t)";
  const char* const kSparse = "sparse_categorical_crossentropy(y, t)";
  const char* const kBinary = "binary_crossentropy(p, t)";
  const char* const kSquares = "mse(p, t)";
  const LabelCase cases[] = {
      {"one_hot(column(\"c\"))", "t[3]", kCross, "0|2|1", {}},
      {"one_hot(column(\"c\"))", "t[3]", kCross, "0|2|2.0", {}},
      {"one_hot(column(\"c\"))", "t[3]", kCross, "1|2|3", {"1", "2", "3"}},
      {"one_hot(column(\"c\"))", "t[3]", kCross, "5|5.0|9", {"5", "9"}},
      {"one_hot(column(\"c\"))", "t[3]", kCross, "\"a\"|\" a\"|a", {"a", " a"}},
      {"one_hot(column(\"c\"))", "t[3]", kCross, "a|b| a ", {"a", "b"}},
      {"one_hot(column(\"c\"))", "t[3]", kCross, "007|7|x", {"007", "7", "x"}},
      {"one_hot(column(\"c\"))", "t[2]", kCross, "a|b|c", {}, "d.csv:4: column 'c': 'c' is label number 3"},
      {"one_hot(column(\"c\"), 3)", "t[3]", kCross, "a|b|c", {"a", "b", "c"}},
      {"ordinal(column(\"c\"))", "t", kSparse, "0|2|1", {}},
      {"ordinal(column(\"c\"))", "t", kSparse, "1|2|3", {"1", "2", "3"}},
      {"ordinal(column(\"c\"), 2)", "t", kSparse, "a|b|c", {}, "d.csv:4: column 'c': 'c' is label number 3"},
      {"ordinal(column(\"c\"), 4)", "t", kSparse, "a|b|c", {}, "'t' takes 3 classes, and this says that there are 4"},
      {"ordinal(column(\"c\"))", "t[1]", kBinary, "1|2|1", {"1", "2"}},
      {"ordinal(column(\"c\"), 2)", "t[1]", kBinary, "1|2|1", {"1", "2"}},
      {"ordinal(column(\"c\"))", "t[1]", kBinary, "yes|no|maybe", {}, "d.csv:4: column 'c': 'maybe' is label number 3"},
      {"ordinal(column(\"c\"))", "t[1]", kBinary, "0|2|1", {}, "d.csv:4: column 'c': '1' is label number 3"},
      {"ordinal(column(\"c\"))", "t[1]", kSquares, "5|9|5", {"5", "9"}},
      {"ordinal(column(\"c\"))", "t[1]", kSquares, "10|20|30", {"10", "20", "30"}},
      {"ordinal(column(\"c\"))", "t[1]", kSquares, "2|0|1", {}},
      {"ordinal(column(\"c\"), 4)", "t[1]", kSquares, "3|0|1", {}},
      {"ordinal(column(\"c\"), 2)", "t[1]", kSquares, "a|b|c", {}, "d.csv:4: column 'c': 'c' is label number 3"},
  };
  for (const LabelCase& item : cases) {
    SCOPED_TRACE(fmt::format("{} {} {}: {}", item.type, item.binding, item.loss, item.labels));
    const char* width = std::string(item.type) == "t[2]" ? "2" : "3";
    write("m.tarn",
          fmt::format("model m {{\n  input x[1]\n  output y = x |> dense({}, softmax)\n  output p = x |> dense(1, "
                      "sigmoid)\n}}\ntrain {{\n  target {}\n  loss {}\n  optimizer sgd\n}}\ndata {{\n  csv "
                      "\"d.csv\"\n  x = column(\"a\")\n  t = {}\n}}\n",
                      width, item.type, item.loss, item.binding));
    std::string rows = "a,c\n";
    std::istringstream labels(item.labels);
    for (std::string label; std::getline(labels, label, '|');) rows += "1," + label + "\n";
    write("d.csv", rows);
    const Outcome trained = tarn("train m.tarn --quiet -o w.safetensors");
    if (item.problem != nullptr) {
      EXPECT_EQ(trained.status, 1);
      EXPECT_THAT(trained.err, HasSubstr(item.problem));
      continue;
    }
    ASSERT_EQ(trained.status, 0) << trained.err;
    const auto weights = read_weights((folder_ / "w.safetensors").string());
    ASSERT_TRUE(weights.has_value());
    EXPECT_EQ(weights->vocabularies.names("t"), item.names);
    // What is learnt is known for good.
    write("d.csv", rows + "1,another\n");
    const Outcome refused = tarn("eval m.tarn --weights w.safetensors");
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("another"));
  }
}

TEST_F(Driver, ClassWeightsOfNumbersGoByLabelWhereLabelsAreNumbers) {
  const auto loss = [&](const std::string& keys, const char* labels) {
    write("m.tarn", fmt::format("model m {{\n  input x[2]\n  output y = x |> dense(3, softmax)\n}}\ntrain {{\n  target "
                                "t[3]\n  loss categorical_crossentropy(y, t)\n  optimizer sgd(lr = 0.5)\n  batch 12\n"
                                "  shuffle false\n  seed 1\n  class_weight {{{}}}\n}}\ndata {{\n  csv \"d.csv\"\n"
                                "  x = columns(\"a\", \"b\")\n  t = one_hot(column(\"c\"))\n}}\n",
                                keys));
    write("d.csv", labels);
    const Outcome trained = tarn("train m.tarn --json");
    return trained.status == 0 ? events(trained.out).back()["loss"].get<double>() : NAN;
  };
  const char* const numbers = "a,b,c\n1,0,1\n0,1,2\n1,1,3\n";
  const char* const own = "a,b,c\n1,0,0\n0,1,1\n1,1,2\n";
  const char* const texts = "a,b,c\n1,0,u\n0,1,v\n1,1,w\n";
  // The rows are the same, so that a weight for the same row gives the same loss.
  const double first = loss("\"u\": 5", texts), last = loss("\"w\": 5", texts);
  ASSERT_FALSE(std::isnan(first) || std::isnan(last) || first == last);
  const struct {
    const char* keys;
    const char* labels;
    double expected;
  } cases[] = {
      {"1: 5", numbers, first}, {"\"1\": 5", numbers, first}, {"3: 5", numbers, last}, {"0: 5", own, first},
      {"2: 5", own, last},      {"\"0\": 5", own, first},     {"0: 5", texts, first},  {"2: 5", texts, last},
      {"0: 5", numbers, NAN},   {"4: 5", numbers, NAN},       {"3: 5", own, NAN},      {"3: 5", texts, NAN},
      {"\"2\": 5", texts, NAN},
  };
  for (const auto& item : cases) {
    SCOPED_TRACE(fmt::format("{{{}}} of {}", item.keys, item.labels));
    const double found = loss(item.keys, item.labels);
    if (std::isnan(item.expected)) {
      EXPECT_TRUE(std::isnan(found));
    } else {
      EXPECT_EQ(found, item.expected);
    }
  }
}

}  // namespace
}  // namespace tarn::driver_test
