// The driver as users meet it: commands, exit statuses, messages for bad input, files that are written or left alone.
#include <gmock/gmock.h>

#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Code from the cache trains to the same bits, a damaged cache does no harm, and --no-cache leaves none.
TEST_F(Driver, KeepsNativeCode) {
  const auto weights_after = [&](const std::string& options) {
    const Outcome trained = tarn("train iris.tarn --epochs 3 --quiet " + options);
    EXPECT_EQ(trained.status, 0) << trained.err;
    return read_text(folder_ / "iris.safetensors");
  };
  const auto entries = [&] { return events(tarn("cache --json").out).front()["entries"].get<int>(); };
  const std::string compiled = weights_after("--no-cache");
  EXPECT_EQ(entries(), 0);
  EXPECT_EQ(weights_after(""), compiled);
  const int kept = entries();
  EXPECT_GT(kept, 0);
  EXPECT_EQ(weights_after(""), compiled);
  EXPECT_EQ(entries(), kept);
  for (const auto& entry : fs::directory_iterator(folder_ / "cache" / "tarn")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(500);
    file.write("damage", 6);
  }
  EXPECT_EQ(weights_after(""), compiled);
  const Outcome cleared = tarn("cache --clear");
  EXPECT_EQ(cleared.status, 0);
  EXPECT_THAT(cleared.out, HasSubstr("removed"));
  EXPECT_EQ(entries(), 0);
}

TEST_F(Driver, TrainsEvaluatesAndPredicts) {
  const Outcome trained = tarn("train iris.tarn");
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_TRUE(exists("iris.safetensors"));
  const Outcome evaluated = tarn("eval iris.tarn --json");
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const json result = events(evaluated.out).front();
  EXPECT_EQ(result["event"], "evaluated");
  EXPECT_EQ(result["samples"], 150);
  EXPECT_GT(result["metrics"]["accuracy"].get<double>(), 0.93);
  const Outcome predicted = tarn("predict iris.tarn --input 5.1,3.5,1.4,0.2");
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  EXPECT_EQ(predicted.out.substr(0, predicted.out.find('\n')), "y[0],y[1],y[2],y.class");
  EXPECT_THAT(predicted.out, HasSubstr("setosa"));
}

TEST_F(Driver, JsonEventsFollowTheInterface) {
  const Outcome trained = tarn("train sums.tarn --epochs 3 --json");
  ASSERT_EQ(trained.status, 0) << trained.err;
  const std::vector<json> found = events(trained.out);
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0]["event"], "compiled");
  EXPECT_EQ(found[0]["parameters"], 5 * 20 + 20 + 20 + 1);
  for (int epoch = 1; epoch <= 3; ++epoch) {
    const json& event = found[static_cast<std::size_t>(epoch)];
    EXPECT_EQ(event["event"], "epoch");
    EXPECT_EQ(event["epoch"], epoch);
    EXPECT_TRUE(event["val_loss"].is_number());
    EXPECT_TRUE(event["metrics"]["val_sign_accuracy"].is_number());
  }
  EXPECT_EQ(found[4]["event"], "trained");
  EXPECT_EQ(found[4]["epochs"], 3);
  EXPECT_EQ(found[4]["loss"], found[3]["loss"]);
  EXPECT_EQ(found[4]["weights"], "sums.safetensors");
}

TEST_F(Driver, TheSameSeedGivesTheSameBits) {
  ASSERT_EQ(tarn("train sums.tarn --epochs 5 --seed 9 -o a.safetensors").status, 0);
  ASSERT_EQ(tarn("train sums.tarn --epochs 5 --seed 9 -o b.safetensors").status, 0);
  ASSERT_EQ(tarn("train sums.tarn --epochs 5 --seed 10 -o c.safetensors").status, 0);
  EXPECT_EQ(read_text(folder_ / "a.safetensors"), read_text(folder_ / "b.safetensors"));
  EXPECT_NE(read_text(folder_ / "a.safetensors"), read_text(folder_ / "c.safetensors"));
}

TEST_F(Driver, AResumedRunGivesTheBitsOfAnUninterruptedOne) {
  ASSERT_EQ(tarn("train sums.tarn --epochs 8 -o whole.safetensors").status, 0);
  ASSERT_EQ(tarn("train sums.tarn --epochs 3 --checkpoint c -o half.safetensors").status, 0);
  const Outcome resumed = tarn("train sums.tarn --epochs 8 --resume c -o resumed.safetensors");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(read_text(folder_ / "whole.safetensors"), read_text(folder_ / "resumed.safetensors"));
}

TEST_F(Driver, AnInterruptedRunLeavesACheckpointToGoOnFrom) {
  // Interrupted once it trains, however long the machine takes to get there.
  const Outcome interrupted = tarn(
      "train sums.tarn --epochs 100000000 & until grep -q 'epoch 1/' stderr.txt; do sleep 0.1; done; kill -INT $!; "
      "wait $!");
  EXPECT_EQ(interrupted.status, 130) << interrupted.err;
  EXPECT_FALSE(exists("sums.safetensors"));
  ASSERT_TRUE(exists("sums.checkpoint/checkpoint.safetensors")) << interrupted.err;
  // 200 rows, in batches of 32.
  EXPECT_THAT(interrupted.err, ContainsRegex("interrupted in epoch [0-9]+, after [0-7] of 7 batches; go on with "
                                             "--resume sums.checkpoint"));
  const std::string behind = interrupted.err.substr(interrupted.err.find("interrupted in epoch ") + 21);
  const int epochs = std::stoi(behind) + 1;
  ASSERT_EQ(tarn(fmt::format("train sums.tarn --epochs {} --resume -o resumed.safetensors", epochs)).status, 0);
  ASSERT_EQ(tarn(fmt::format("train sums.tarn --epochs {} -o whole.safetensors", epochs)).status, 0);
  EXPECT_EQ(read_text(folder_ / "resumed.safetensors"), read_text(folder_ / "whole.safetensors"));
}

TEST_F(Driver, WeightsCanBeListedPrintedAndAssigned) {
  ASSERT_EQ(tarn("train iris.tarn --epochs 1").status, 0);
  EXPECT_THAT(tarn("weights iris.safetensors").out, HasSubstr("dense_1.kernel"));
  ASSERT_EQ(tarn("weights iris.safetensors --assign 'dense_2.bias=[1, 2.5, -3]'").status, 0);
  const json printed = events(tarn("weights iris.safetensors --print dense_2.bias --json").out).front();
  EXPECT_EQ(printed["name"], "dense_2.bias");
  EXPECT_EQ(printed["shape"], json::array({3}));
  EXPECT_EQ(printed["values"], json::array({1, 2.5, -3}));
  const Outcome wrong = tarn("weights iris.safetensors --assign 'dense_2.bias=[1, 2]'");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("expected [3], found [2]"));
  EXPECT_THAT(tarn("weights iris.safetensors --print dense_2.bais").err, HasSubstr("did you mean 'dense_2.bias'"));
}

TEST_F(Driver, OverriddenConstantsTravelWithTheWeights) {
  write("m.tarn",
        "const width = 3\nmodel m {\n  input x[2]\n  output y = x |> dense(width) |> dense(1)\n}\ntrain {\n  target "
        "t[1]\n"
        "  loss mse(y, t)\n  optimizer sgd\n}\ndata {\n  csv \"d.csv\"\n  x = columns(\"a\", \"b\")\n  t = "
        "column(\"c\")\n}\n");
  write("d.csv", "a,b,c\n1,2,3\n3,4,7\n");
  const Outcome trained = tarn("train m.tarn --set width=5 --set optimizer.lr=0.001");
  ASSERT_EQ(trained.status, 0) << trained.err;
  const Outcome predicted = tarn("predict m.tarn --input 1,2 --json");
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  EXPECT_EQ(events(predicted.out).front()["outputs"]["y"].size(), 1U);
}

TEST_F(Driver, StopsAtAnInfiniteLossAndSaysWhere) {
  const Outcome trained = tarn("train line.tarn --set 'optimizer=sgd(lr = 1e6)' --set hidden=linear");
  EXPECT_EQ(trained.status, 1);
  EXPECT_THAT(trained.err, HasSubstr("the loss became NaN or infinite in epoch 1, batch "));
  EXPECT_FALSE(exists("line.safetensors"));
}

struct BadInput {
  const char* name;
  std::map<std::string, std::string> files;
  const char* arguments;
  int status;
  std::vector<const char*> messages;  // all on standard error
};

const char* kSmallModel =
    "model m {\n  input x[2]\n  output y = x |> dense(1)\n}\ntrain {\n  target t[1]\n  loss mse(y, t)\n  optimizer "
    "sgd\n}\n"
    "data {\n  csv \"d.csv\"\n  x = columns(\"a\", \"b\")\n  t = column(\"c\")\n}\n";

class BadInputs : public Driver, public ::testing::WithParamInterface<BadInput> {};

TEST_P(BadInputs, GetOneClearMessageAndTheRightStatus) {
  for (const auto& [name, text] : GetParam().files) write(name, text);
  const Outcome outcome = tarn(GetParam().arguments);
  EXPECT_EQ(outcome.status, GetParam().status) << outcome.err;
  for (const char* message : GetParam().messages) EXPECT_THAT(outcome.err, HasSubstr(message));
  EXPECT_FALSE(exists("m.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(
    Driver, BadInputs,
    ::testing::Values(
        BadInput{"MissingFile", {}, "train nowhere.tarn", 1, {"nowhere.tarn", "no such file"}},
        BadInput{"Directory", {}, "train .", 1, {"is a directory"}},
        BadInput{"UnknownCommand", {}, "trian iris.tarn", 2, {"no command 'trian'; did you mean 'train'"}},
        BadInput{"UnknownOption", {}, "train iris.tarn --epoch 3", 2, {"--epoch"}},
        BadInput{"NotANumber", {}, "train iris.tarn --epochs many", 2, {"--epochs"}},
        BadInput{"UnknownSetting", {}, "train iris.tarn --set bach=3", 1, {"bach", "did you mean 'batch'"}},
        BadInput{"SettingWithoutValue", {}, "train iris.tarn --set batch", 1, {"KEY=EXPRESSION"}},
        BadInput{"MissingData", {{"m.tarn", kSmallModel}}, "train m.tarn", 1, {"d.csv", "No such file"}},
        BadInput{"RaggedRow",
                 {{"m.tarn", kSmallModel}, {"d.csv", "a,b,c\n1,2,3\n1,2\n"}},
                 "train m.tarn",
                 1,
                 {"d.csv:3", "2 fields"}},
        BadInput{"MissingColumn", {{"m.tarn", kSmallModel}, {"d.csv", "a,bb,c\n1,2,3\n"}}, "train m.tarn", 1, {"'b'"}},
        BadInput{"TextForNumber",
                 {{"m.tarn", kSmallModel}, {"d.csv", "a,b,c\n1,2,3\n1,two,3\n"}},
                 "train m.tarn",
                 1,
                 {"d.csv:3", "'b'", "two"}},
        BadInput{"MissingValue",
                 {{"m.tarn", kSmallModel}, {"d.csv", "a,b,c\n1,2,3\n1,,3\n"}},
                 "train m.tarn",
                 1,
                 {"d.csv:3", "'b'", "missing", "drop_missing"}},
        BadInput{"EmptyData", {{"m.tarn", kSmallModel}, {"d.csv", ""}}, "train m.tarn", 1, {"d.csv"}},
        BadInput{
            "HeaderOnly", {{"m.tarn", kSmallModel}, {"d.csv", "a,b,c\n"}}, "train m.tarn", 1, {"d.csv", "no rows"}},
        BadInput{"UnwritableOutput",
                 {{"m.tarn", kSmallModel}, {"d.csv", "a,b,c\n1,2,3\n"}},
                 "train m.tarn -o nowhere/m.safetensors",
                 1,
                 {"nowhere/m.safetensors"}},
        BadInput{"WeightsOfAnotherModel",
                 {{"m.tarn", kSmallModel}},
                 "train iris.tarn --epochs 1 -o w.safetensors && \"$TARN\" predict m.tarn --weights w.safetensors "
                 "--input 1,2",
                 1,
                 {"'dense_1.kernel': expected [2, 1], found [4, 6]", "'dense_2.kernel' [6, 3] is not in the model"}},
        BadInput{"GarbageWeights",
                 {{"m.tarn", kSmallModel}, {"w.safetensors", "garbage"}},
                 "predict m.tarn --weights w.safetensors --input 1,2",
                 1,
                 {"w.safetensors"}},
        BadInput{"InputOfWrongSize", {{"m.tarn", kSmallModel}}, "predict m.tarn --input 1,2,3", 1, {"2 numbers", "3"}},
        BadInput{"InputGivenTwice",
                 {{"m.tarn", kSmallModel}},
                 "predict m.tarn --input 1,2 --input x=3,4",
                 1,
                 {"'x' is given twice"}},
        BadInput{"EveryWithoutCheckpoint",
                 {{"m.tarn", kSmallModel}, {"d.csv", "a,b,c\n1,2,3\n"}},
                 "train m.tarn --every 2",
                 2,
                 {"--every requires --checkpoint"}},
        BadInput{"InputNoNumber", {{"m.tarn", kSmallModel}}, "predict m.tarn --input 1,b", 1, {"'b' is not a number"}},
        BadInput{"NoTrainBlock", {}, "train by_hand.tarn", 1, {"no `train` block"}},
        BadInput{"SyntaxError", {{"m.tarn", "model m {\n  input x[2\n}\n"}}, "check m.tarn", 1, {"m.tarn:"}},
        BadInput{"ShapeError",
                 {{"m.tarn", "model m {\n  input x[4]\n  param w[5, 3] = zeros\n  output y = x @ w\n}\n"}},
                 "check m.tarn",
                 1,
                 {"m.tarn:4:", "[4] @ [5, 3]"}},
        BadInput{"BinaryModel", {{"m.tarn", "\x01\x02\xff\xfe"}}, "check m.tarn", 1, {"m.tarn:1:"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(Driver, EveryCommandExplainsItself) {
  for (const char* command : {"", "train", "eval", "predict", "check", "show", "summary", "weights", "fmt"}) {
    const Outcome help = tarn(std::string(command) + " --help");
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("--help")) << command;
  }
  EXPECT_THAT(tarn("--version").out, HasSubstr("LLVM 19"));
}

TEST_F(Driver, EveryStageOfThePipelineShows) {
  for (const char* stage :
       {"ast", "program", "graph", "gradients", "optimized", "fused", "plan", "tactics", "memory", "llvm", "asm"}) {
    const Outcome shown = tarn(fmt::format("show iris.tarn --stage {}", stage));
    EXPECT_EQ(shown.status, 0) << stage << shown.err;
    EXPECT_GT(shown.out.size(), 200U) << stage;
  }
  EXPECT_THAT(tarn("show iris.tarn --format dot").out, HasSubstr("digraph"));
  EXPECT_TRUE(json::accept(tarn("show iris.tarn --format json").out));
}

TEST_F(Driver, FastMathAndOnlyItChangesRoundings) {
  write("third.tarn", "model third {\n  input x\n  output y = x / 3\n}\n");
  EXPECT_THAT(tarn("show third.tarn --graph predict --stage optimized").out, HasSubstr("= div("));
  const Outcome fast = tarn("show third.tarn --graph predict --stage optimized --fast-math");
  EXPECT_THAT(fast.out, ::testing::Not(HasSubstr("= div("))) << fast.err;
  EXPECT_THAT(fast.out, HasSubstr("= mul("));
}

TEST_F(Driver, DescribesWhatThePreludeHas) {
  const Outcome described = tarn("prelude relu6 mse");
  EXPECT_EQ(described.status, 0) << described.err;
  EXPECT_THAT(described.out, HasSubstr("fn relu6(x)   # prelude/activations.tarn\n  "));
  EXPECT_THAT(described.out, HasSubstr("fn mse(y, t)   # prelude/losses.tarn\n  Mean of (y - t)^2."));
  EXPECT_THAT(tarn("prelude einsum").out, HasSubstr("builtin einsum("));
  EXPECT_THAT(tarn("prelude").out, HasSubstr("\nlayer      dense\n"));
  const Outcome unknown = tarn("prelude dens");
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("the prelude has no 'dens'; did you mean 'dense'?"));
}

// Kernels share the time of the whole; what they do is what the plan says.
TEST_F(Driver, BenchTimesEveryKernel) {
  const Outcome outcome = tarn("bench sums.tarn --kernels --json --seconds 0.01 --samples 3");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::vector<json> found = events(outcome.out);
  ASSERT_GE(found.size(), 4U);
  EXPECT_EQ(found[0]["event"], "machine");
  EXPECT_GT(found[0]["flops"].get<double>(), 0);
  double seconds = 0, flops = 0, kernels = 0;
  int updates = 0;  // of weights: kernels that come from a line of the model
  const auto expect_all_accounted_for = [&] {
    EXPECT_NEAR(kernels, seconds, 1e-6 * seconds);
    EXPECT_NEAR(flops, 0, 1e-6);
  };
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i]["event"] == "bench") {
      expect_all_accounted_for();
      seconds = found[i]["seconds"];
      flops = found[i]["flops"];
      kernels = 0;
      EXPECT_GT(seconds, 0);
    } else {
      EXPECT_EQ(found[i]["event"], "kernel");
      if (found[i]["name"].get<std::string>().ends_with(".kernel update")) {
        EXPECT_THAT(found[i]["origin"].get<std::string>(), HasSubstr("sums.tarn:"));
        ++updates;
      }
      kernels += found[i]["seconds"].get<double>();
      flops -= found[i]["flops"].get<double>();
    }
  }
  expect_all_accounted_for();
  EXPECT_GT(updates, 0);
  EXPECT_EQ(tarn("bench iris.tarn --seconds 0.01").status, 0);
  EXPECT_EQ(tarn("bench iris.tarn --samples 0").status, 2);
  // Nothing to compute.
  write("moved.tarn", "model moved {\n  input x[4]\n  output y = transpose(reshape(x, [2, 2]))\n}\n");
  EXPECT_EQ(tarn("bench moved.tarn --seconds 0.01 --samples 3").status, 0);
}

TEST_F(Driver, SaysThatItsOutputIsLost) {
  for (const std::string arguments : {"summary iris.tarn", "train iris.tarn --json", "show iris.tarn", "--help"}) {
    const Outcome lost = tarn(arguments + " >/dev/full");
    EXPECT_EQ(lost.status, 3) << arguments;
    EXPECT_EQ(lost.err, "error: what this command prints cannot be written\n") << arguments;
  }
}

TEST_F(Driver, SummaryCountsParameters) {
  const json summary = events(tarn("summary iris.tarn --json").out).front();
  EXPECT_EQ(summary["trainable"], 4 * 6 + 6 + 6 * 3 + 3);
  EXPECT_EQ(summary["layers"].size(), 2U);
}

TEST_F(Driver, TheExamplesAreFormatted) {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".tarn") continue;
    EXPECT_EQ(tarn("fmt --check " + entry.path().filename().string()).status, 0) << entry.path();
  }
}

TEST_F(Driver, CheckComparesGradients) {
  const Outcome checked = tarn("check branches.tarn --gradients");
  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("encode.dense_1.kernel"));
}

}  // namespace
}  // namespace tarn::driver_test
