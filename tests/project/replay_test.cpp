// tools/replay finds no difference between a build and itself, and each kind of difference where one of two builds has
// another model before it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;
using test::Finished;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Replay : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::run("command -v python3 bash").status != 0) GTEST_SKIP() << "python3, bash";
    fs::copy(test::example("line.csv"), folder_.path());
  }

  // A build that finds this text where examples/line.tarn is asked for: a script before the driver.
  std::string build_with(const std::string& model) const {
    test::write_text(folder_.path() / "line.tarn", model);
    test::write_text(folder_.path() / "tarn", fmt::format("#!/usr/bin/env bash\nexec '{}' \"${{@/#*line.tarn/{}}}\"\n",
                                                          test::driver(), folder_.file("line.tarn")));
    fs::permissions(folder_.path() / "tarn", fs::perms::owner_all);
    return folder_.file("tarn");
  }
  static std::string line_with(const std::string& from, const std::string& to) {
    std::string text = test::read_text(test::example("line.tarn"));
    text.replace(text.find(from), from.size(), to);
    return text;
  }

  // Of the comparisons that a test has no use for none is made: all of a model take four seconds.
  Finished replay(const std::string& after, const std::string& only = "",
                  const std::string& models = "examples/line") const {
    return test::run(fmt::format("'{}/tools/replay' --folder '{}' --models '{}' --only '{}' '{}' '{}'",
                                 test::source_folder().string(), folder_.file("out"), models, only, test::driver(),
                                 after));
  }

  test::TemporaryFolder folder_;
};

TEST_F(Replay, NothingDiffersBehindAnotherComment) {
  const Finished same = replay(build_with(line_with("online", "while running")));
  EXPECT_EQ(same.status, 0);
  EXPECT_THAT(same.output,
              AllOf(HasSubstr("1 models (1 compile, 1 for other machines, 1 train, 1 predict, 1 evaluate)"),
                    HasSubstr("nothing differs")));
}

TEST_F(Replay, PlansCodeAndBitsOfAnotherLayerDiffer) {
  const Finished wider = replay(
      build_with(line_with("dense(10", "dense(11")),
      "v4: train fused|v3: predict fused|x86-64: predict llvm|wasm32|v3, threads 1: train|x86-64, threads 1: train");
  EXPECT_EQ(wider.status, 1);
  EXPECT_THAT(wider.output, AllOf(HasSubstr("examples/line.tarn: x86-64-v4: train fused: line 1: "),
                                  HasSubstr("x86-64: predict llvm: "), HasSubstr("wasm32: compile: "),
                                  HasSubstr("threads 1: train: "), HasSubstr("1 differ")));
  EXPECT_THAT(test::read_text(folder_.path() / "out/differences/examples_line.tarn/x86_64_v3_predict_fused.diff"),
              AllOf(HasSubstr("\n-"), HasSubstr("n < 11")));
}

// The plans are the same ones: the number stands in the state.
TEST_F(Replay, WeightsAfterLargerStepsDifferWherePlansDoNot) {
  const Finished faster = replay(build_with(line_with("lr = 0.07", "lr = 0.0700001")), "train");
  EXPECT_EQ(faster.status, 1);
  EXPECT_THAT(faster.output, AllOf(HasSubstr("threads 1: train: line 4: dense_1.bias[0] = "),
                                   Not(HasSubstr("train fused: ")), Not(HasSubstr("train llvm: "))));
}

TEST_F(Replay, WhatIsNotDoneIsCountedAndGivenItsReason) {
  const Finished untrained = replay(build_with(line_with("line.csv", "none.csv")), "wasm32|threads");
  EXPECT_EQ(untrained.status, 1);
  EXPECT_THAT(untrained.output, HasSubstr("1 compile, 1 for other machines, 0 train, 0 predict"));
  EXPECT_THAT(test::read_text(folder_.path() / "out/covered.txt"), HasSubstr("not done: train (x86-64"));

  const Finished refused = replay(test::driver(), "", "golden/errors/data.tarn");
  EXPECT_EQ(refused.status, 0);
  EXPECT_THAT(refused.output, HasSubstr("1 models (0 compile"));
}

TEST_F(Replay, BuildsAndModelsThatAreNotThereAreNoDifference) {
  const Finished none = replay(folder_.file("nowhere"));
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.output, HasSubstr("nowhere' is neither a revision nor a build"));

  const Finished nothing = replay(test::driver(), "", "no_such_model");
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.output, HasSubstr("no model is called so: no_such_model"));
}

}  // namespace
}  // namespace tarn
