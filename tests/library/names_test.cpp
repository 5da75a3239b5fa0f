// Names of classes, and constants, go with the weights of a session into files and out of them.
#include <gmock/gmock.h>

#include <functional>

#include "models.h"

namespace library_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kModel = R"(model m {
  input x[2]
  input color[2]
  output y = x |> dense(2, softmax)
  output z = color |> dense(2, softmax)
}
train {
  target t[2]
  target s[2]
  loss categorical_crossentropy(y, t)
  loss categorical_crossentropy(z, s)
  optimizer adam(lr = 0.3)
  epochs 100
}
data {
  csv "d.csv"
  x = columns("a", "b")
  color = one_hot(column("color"))
  t = one_hot(column("t"))
  s = one_hot(column("s"))
}
)";
constexpr const char* kRows = "a,b,color,t,s\n1,0,red,cat,5\n0,1,blue,dog,9\n";
// The other way round, so that labels numbered anew would all be wrong.
constexpr const char* kOtherRows = "a,b,color,t,s\n0,1,blue,dog,9.0\n1,0,red,cat,5.0\n";

TEST(LibraryNames, GoWithTheWeightsInEveryFormat) {
  const TemporaryFolder folder;
  tarn::test::write_text(folder.path() / "m.tarn", kModel);
  tarn::test::write_text(folder.path() / "d.csv", kRows);
  const tarn::Model model = tarn::compile_file(folder.file("m.tarn"));
  tarn::Session first(model);
  ASSERT_LT(first.fit_file_data().last().loss(), 0.05);
  first.save(folder.file("w.safetensors"));
  first.save(folder.file("w.npz"));
  first.checkpoint(folder.file("c.safetensors"));
  const std::pair<const char*, std::function<void(tarn::Session&)>> ways[] = {
      {"safetensors", [&](tarn::Session& session) { session.load(folder.file("w.safetensors")); }},
      {"npz", [&](tarn::Session& session) { session.load(folder.file("w.npz")); }},
      {"checkpoint", [&](tarn::Session& session) { session.load(folder.file("c.safetensors")); }},
      {"resume", [&](tarn::Session& session) { session.resume(folder.file("c.safetensors")); }},
      {"again", [&](tarn::Session& session) { session.load(folder.file("again.npz")); }},
  };
  for (const auto& [name, read] : ways) {
    SCOPED_TRACE(name);
    tarn::test::write_text(folder.path() / "d.csv", kOtherRows);
    tarn::Session session(model, {.seed = 3});
    read(session);
    EXPECT_THAT(session.classes("t"), ElementsAre("cat", "dog"));
    EXPECT_THAT(session.classes("s"), ElementsAre("5", "9"));
    EXPECT_THAT(session.classes("color"), ElementsAre("red", "blue"));
    EXPECT_THAT(session.classes("y"), ElementsAre("cat", "dog"));
    EXPECT_THAT(session.classes("z"), ElementsAre("5", "9"));
    EXPECT_LT(session.evaluate_file_data().loss(), 0.05);
    EXPECT_LT(session.fit_file_data({.epochs = 1}).last().loss(), 0.05);
    session.save(folder.file("again.npz"));
    for (const char* unknown : {"1,0,red,bird,5\n", "1,0,red,cat,7\n", "1,0,black,cat,5\n"}) {
      tarn::test::write_text(folder.path() / "d.csv", std::string(kOtherRows) + unknown);
      try {
        session.evaluate_file_data();
        ADD_FAILURE() << unknown;
      } catch (const tarn::DataError& error) {
        EXPECT_THAT(error.what(), HasSubstr("d.csv:4: column"));
      }
      EXPECT_THROW(session.fit_file_data({.epochs = 1}), tarn::DataError);
    }
    // Initial weights have no names, and take those that come.
    tarn::test::write_text(folder.path() / "d.csv", kOtherRows);
    session.initialize(1);
    EXPECT_TRUE(session.classes("t").empty());
    session.fit_file_data({.epochs = 1});
    EXPECT_THAT(session.classes("t"), ElementsAre("dog", "cat"));
  }
}

TEST(LibraryNames, OfTrainingOnArraysAreUnknown) {
  const TemporaryFolder folder;
  tarn::test::write_text(folder.path() / "m.tarn", kModel);
  tarn::test::write_text(folder.path() / "d.csv", kRows);
  tarn::Session session(tarn::compile_file(folder.file("m.tarn")));
  const std::vector<float> one = {1, 0, 0, 1};
  session.fit({{"x", one}, {"color", one}, {"t", one}, {"s", one}}, {.epochs = 1});
  EXPECT_THROW(session.evaluate_file_data(), tarn::DataError);
  EXPECT_THROW(session.fit_file_data({.epochs = 1}), tarn::DataError);
}

constexpr const char* kConstant = R"(const factor = 1
const offset = 1
model m {
  input x
  param w = 2
  output y = factor * offset * w + 0 * x
}
train {
  target t
  loss mean_squared_error(y, t)
  optimizer sgd(lr = 0.05)
}
)";

TEST(LibraryNames, NotedConstantsAreSettingsOrAnError) {
  const TemporaryFolder folder;
  const auto value = [](tarn::Session& session) {
    const std::vector<float> x = {0};
    return session.predict({{"x", x}})["y"][0];
  };
  const tarn::Model tripled = tarn::compile(kConstant, {.set = {{"factor", "3"}}});
  const tarn::Session trained(tripled);
  trained.save(folder.file("w.safetensors"));
  trained.save(folder.file("w.npz"));
  trained.checkpoint(folder.file("c.safetensors"));
  tarn::Session plain(tarn::compile(kConstant));
  for (const char* name : {"w.safetensors", "w.npz", "c.safetensors"}) {
    SCOPED_TRACE(name);
    try {
      plain.load(folder.file(name));
      ADD_FAILURE() << "weights of another model are loaded";
    } catch (const tarn::DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("factor = 3"));
      EXPECT_THAT(error.what(), HasSubstr("{.weights = \"" + folder.file(name) + "\"}"));
    }
    EXPECT_EQ(value(plain), 2);
    const tarn::CompileOptions options = {.set = {{"offset", "5"}}, .weights = folder.file(name)};
    tarn::Session session(tarn::compile(kConstant, options));
    session.load(folder.file(name));
    EXPECT_EQ(value(session), 30);
    // Both are noted in what it saves.
    session.save(folder.file("both.npz"));
    tarn::Session both(tarn::compile(kConstant, {.weights = folder.file("both.npz")}));
    both.load(folder.file("both.npz"));
    EXPECT_EQ(value(both), 30);
    // A setting of the program's own wins.
    tarn::Session other(tarn::compile(kConstant, {.set = {{"factor", "7"}}, .weights = folder.file(name)}));
    other.load(folder.file(name));
    EXPECT_EQ(value(other), 14);
  }
  EXPECT_THROW(plain.resume(folder.file("c.safetensors")), tarn::DataError);
  EXPECT_THROW(tarn::compile(kConstant, {.weights = folder.file("none.npz")}), tarn::Error);
}

// Of three outputs, two with a label; and one probability with one label.
TEST(LibraryNames, AnOutputHasANameForEachClassThatItTellsApart) {
  const TemporaryFolder folder;
  tarn::test::write_text(folder.path() / "m.tarn",
                         "model m {\n  input x\n  z = reshape(x, [1])\n  output y = z |> dense(3, softmax)\n"
                         "  output p = z |> dense(1, sigmoid)\n}\ntrain {\n  target t[3]\n  target q[1]\n"
                         "  loss categorical_crossentropy(y, t)\n  loss binary_crossentropy(p, q)\n  optimizer sgd\n}\n"
                         "data {\n  csv \"d.csv\"\n  x = column(\"x\")\n  t = one_hot(column(\"t\"))\n"
                         "  q = ordinal(column(\"q\"))\n}\n");
  tarn::test::write_text(folder.path() / "d.csv", "x,t,q\n1,7,yes\n2,5,yes\n");
  tarn::Session session(tarn::compile_file(folder.file("m.tarn")));
  session.fit_file_data();
  EXPECT_THAT(session.classes("t"), ElementsAre("7", "5"));
  EXPECT_THAT(session.classes("y"), ElementsAre("7", "5", "class 2"));
  EXPECT_THAT(session.classes("p"), ElementsAre("yes", "class 1"));
}

// A call that fails leaves the names open: the next data number the labels.
TEST(LibraryNames, OfAFitThatFailsAreForgotten) {
  const TemporaryFolder folder;
  std::string text = kModel;
  text.insert(text.find("  optimizer"), "  class_weight {\"bird\": 2}\n");
  tarn::test::write_text(folder.path() / "m.tarn", text);
  tarn::test::write_text(folder.path() / "d.csv", kRows);
  tarn::Session session(tarn::compile_file(folder.file("m.tarn")));
  EXPECT_THROW(session.fit_file_data({.epochs = 1}), tarn::DataError);
  EXPECT_TRUE(session.classes("t").empty());
  EXPECT_TRUE(session.classes("color").empty());
  tarn::test::write_text(folder.path() / "d.csv", "a,b,color,t,s\n0,1,blue,bird,9\n1,0,red,dog,5\n");
  session.fit_file_data({.epochs = 1});
  EXPECT_THAT(session.classes("t"), ElementsAre("bird", "dog"));
  EXPECT_THAT(session.classes("color"), ElementsAre("blue", "red"));
}

TEST(LibraryNames, AResumedSessionHasTheRateOfTheCheckpointOrOfASetting) {
  const TemporaryFolder folder;
  const tarn::Session first(tarn::compile(kConstant));
  first.checkpoint(folder.file("c.safetensors"));
  std::string said;
  const auto log = [&](tarn::Diagnostic::Severity, std::string_view message) { said += message; };
  const auto rate = [&](const tarn::CompileOptions& options, const std::string& text) {
    said.clear();
    tarn::Session session(tarn::compile(text, options));
    session.resume(folder.file("c.safetensors"));
    return session.weight("optimizer.lr").tensor()[0];
  };
  const std::string edited = std::string(kConstant).replace(std::string(kConstant).find("0.05"), 4, "0.25");
  EXPECT_EQ(rate({.log = log}, kConstant), 0.05);
  EXPECT_EQ(said, "");
  EXPECT_EQ(rate({.set = {{"optimizer.lr", "0.5"}}, .log = log}, kConstant), 0.5);
  EXPECT_EQ(said, "");
  EXPECT_EQ(rate({.log = log}, edited), 0.05);
  EXPECT_THAT(said, HasSubstr("optimizer.lr is 0.05 as in the checkpoint, and 0.25 in the file"));
}

}  // namespace
}  // namespace library_test
