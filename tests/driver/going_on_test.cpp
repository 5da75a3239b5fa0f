// What a run that goes on from a file takes from it: constants of the model file, hyper-parameters; and files that are
// not what they are called.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstring>

#include "runtime/files/safetensors.h"
#include "runtime/files/zip.h"
#include "runtime/session/weights.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

double loss_of(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return outcome.status == 0 ? events(outcome.out).back()["loss"].get<double>() : -1;
}

// w goes to t / (factor offset), and the loss to 0, with whatever constants: with others than in training it is not.
constexpr const char* kConstants =
    "const factor = 1\nconst offset = 1\nmodel m {\n  input x\n  param w = 0\n  output y = factor * offset * w + 0 * "
    "x\n}\ntrain {\n  target t\n  loss mean_squared_error(y, t)\n  optimizer sgd(lr = 0.01)\n  epochs 100\n}\n"
    "data {\n  csv \"d.csv\"\n  x = column(0)\n  t = column(1)\n}\n";

TEST_F(Driver, NotedConstantsAreAppliedByWhateverGoesOn) {
  write("m.tarn", kConstants);
  write("d.csv", "x,t\n0,6\n");
  for (const char* file : {"w.safetensors", "w.npz"}) {
    SCOPED_TRACE(file);
    ASSERT_LT(loss_of(tarn(fmt::format("train m.tarn --set factor=3 --json --checkpoint ck -o {}", file))), 1e-6);
    EXPECT_LT(loss_of(tarn(fmt::format("eval m.tarn --json --weights {}", file))), 1e-6);
    EXPECT_LT(loss_of(tarn(fmt::format("train m.tarn --json --epochs 1 --weights {} -o on.npz", file))), 1e-6);
    EXPECT_LT(loss_of(tarn("eval m.tarn --json --weights on.npz")), 1e-6);
    // One that the command line gives wins, and stands beside the others.
    EXPECT_GT(loss_of(tarn(fmt::format("eval m.tarn --json --set factor=1 --weights {}", file))), 1);
    EXPECT_LT(loss_of(tarn(fmt::format("train m.tarn --json --set offset=2 --weights {} -o on.npz", file))), 1e-6);
    EXPECT_LT(loss_of(tarn("eval m.tarn --json --weights on.npz")), 1e-6);
    const auto noted = read_weights((folder_ / "on.npz").string());
    ASSERT_TRUE(noted.has_value());
    EXPECT_EQ(noted->constants, (std::map<std::string, std::string>{{"factor", "3"}, {"offset", "2"}}));
  }
  EXPECT_LT(loss_of(tarn("train m.tarn --json --resume ck --epochs 101 -o on.safetensors")), 1e-6);
  EXPECT_LT(loss_of(tarn("train m.tarn --json --checkpoint ck --resume --epochs 102 -o on.safetensors")), 1e-6);
  EXPECT_LT(loss_of(tarn("eval m.tarn --json --weights on.safetensors")), 1e-6);
}

TEST_F(Driver, HyperParametersOfAResumedRunAreThoseOfTheCheckpointAndOfSet) {
  const auto model = [&](const char* rate) {
    write("m.tarn",
          fmt::format("const rate = {}\nmodel m {{\n  input x\n  param w = 0\n  output y = w + 0 * x\n}}\ntrain "
                      "{{\n  target t\n  loss mean_squared_error(y, t)\n  optimizer adam(lr = rate)\n  epochs 2\n"
                      "}}\ndata {{\n  csv \"d.csv\"\n  x = column(0)\n  t = column(1)\n}}\n",
                      rate));
  };
  write("d.csv", "x,t\n0,1\n");
  const auto rate_after = [&](const std::string& options) {
    EXPECT_EQ(tarn("train m.tarn --checkpoint ck").status, 0);
    const Outcome resumed = tarn("train m.tarn --checkpoint ck --resume --epochs 3 " + options);
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    return std::make_pair(tarn("weights ck/checkpoint.safetensors --print optimizer.lr").out, resumed.err);
  };
  model("0.05");
  EXPECT_THAT(rate_after("").first, "0.05\n");
  EXPECT_THAT(rate_after("").second, Not(HasSubstr("note")));
  for (const char* options : {"--set optimizer.lr=0.5", "--set 'optimizer=adam(lr = 0.5)'", "--set rate=0.5"}) {
    SCOPED_TRACE(options);
    const auto [rate, said] = rate_after(options);
    EXPECT_EQ(rate, "0.5\n");
    EXPECT_THAT(said, Not(HasSubstr("as in the checkpoint")));
  }
  // Of two runs with the same settings the second goes on where the first has come to.
  ASSERT_EQ(tarn("train m.tarn --checkpoint ck --set optimizer.lr=0.2").status, 0);
  ASSERT_EQ(tarn("weights ck/checkpoint.safetensors --assign optimizer.lr=0.1").status, 0);
  ASSERT_EQ(tarn("train m.tarn --checkpoint ck --set optimizer.lr=0.2 --resume --epochs 3").status, 0);
  EXPECT_EQ(tarn("weights ck/checkpoint.safetensors --print optimizer.lr").out, "0.1\n");
  // An edited file changes nothing, and that is said.
  ASSERT_EQ(tarn("train m.tarn --checkpoint ck").status, 0);
  model("0.25");
  const Outcome edited = tarn("train m.tarn --checkpoint ck --resume --epochs 3");
  EXPECT_THAT(edited.err, HasSubstr("optimizer.lr is 0.05 as in the checkpoint, and 0.25 in the file"));
  EXPECT_EQ(tarn("weights ck/checkpoint.safetensors --print optimizer.lr").out, "0.05\n");
  EXPECT_THAT(tarn("train m.tarn --checkpoint ck --resume --epochs 4 --seed 9").err, HasSubstr("the seed is 0 as in"));
  const Outcome both = tarn("train m.tarn --resume ck --weights m.safetensors");
  EXPECT_EQ(both.status, 1);
  EXPECT_THAT(both.err, HasSubstr("--resume"));
}

TEST_F(Driver, ResumeSaysWhichCheckpointsThereAre) {
  write("m.tarn",
        "model m {\n  input x\n  param w = 0\n  output y = w + 0 * x\n}\ntrain {\n  target t\n  loss mse(y, t)\n  "
        "optimizer sgd\n  epochs 2\n  checkpoint(\"best\", best = true, monitor = \"loss\")\n}\ndata {\n  csv "
        "\"d.csv\"\n  x = column(0)\n  t = column(1)\n}\n");
  write("d.csv", "x,t\n0,1\n");
  ASSERT_EQ(tarn("train m.tarn").status, 0);
  const Outcome refused = tarn("train m.tarn --resume");
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("there is no checkpoint 'm.checkpoint/checkpoint.safetensors' to go on from"));
  EXPECT_THAT(refused.err, HasSubstr("`--resume best` goes on from it"));
  EXPECT_EQ(tarn("train m.tarn --resume best").status, 0);
}

TEST_F(Driver, FilesOfWeightsAreWhatTheirNamesSay) {
  write("m.tarn", kConstants);
  write("d.csv", "x,t\n0,6\n");
  for (const char* name : {"w.npy", "w.txt", "w"}) {
    const Outcome refused = tarn(fmt::format("train m.tarn -o {}", name));
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("the name of weights must end in .safetensors or .npz"));
    EXPECT_FALSE(exists(name));
  }
  ASSERT_EQ(tarn("train m.tarn -o w.npz").status, 0);
  const std::string good = read_text(folder_ / "w.npz");
  const std::string text = "no array";
  const ZipContent member{"readme.txt", {view_of(text)}};
  ASSERT_TRUE(write_zip((folder_ / "text.npz").string(), {&member, 1}).has_value());
  write("junk.npz", "junk" + good);
  write("broken.npz", "XX" + good.substr(2));
  write("words.npz", "only words");
  const std::pair<const char*, const char*> cases[] = {{"text.npz", "holds no arrays"},
                                                       {"junk.npz", "is not a .npz file"},
                                                       {"broken.npz", "is not a .npz file"},
                                                       {"words.npz", "is not a .npz file"}};
  for (const auto& [file, problem] : cases) {
    for (const char* command : {"weights {}", "eval m.tarn --weights {}", "train m.tarn --weights {}"}) {
      const Outcome refused = tarn(fmt::format(fmt::runtime(command), file));
      EXPECT_EQ(refused.status, 1) << command << file;
      EXPECT_THAT(refused.err, HasSubstr(problem));
      EXPECT_THAT(refused.err, Not(HasSubstr("safetensors")));
    }
  }
}

constexpr const char* kLine =
    "model m {\n  input x\n  param w = 0\n  output y = w * x\n}\ntrain {\n  target t\n  loss mean_squared_error(y, "
    "t)\n  optimizer sgd(lr = 0.01)\n  epochs 2\n}\ndata {\n  csv \"d.csv\"\n  x = column(0)\n  t = column(1)\n}\n";

// Draws and the order of rows follow from seed and counters: a run that went on from others would be another run.
TEST_F(Driver, ACheckpointWhoseSeedOrCountsAreNoneIsRefused) {
  write("m.tarn", kLine);
  write("d.csv", "x,t\n1,2\n2,4\n");
  ASSERT_EQ(tarn("train m.tarn --checkpoint ck").status, 0);
  const std::string path = (folder_ / "ck" / "checkpoint.safetensors").string();
  const Result<Safetensors> good = read_safetensors(path);
  ASSERT_TRUE(good.has_value());
  const auto expect_refusal = [&](const Safetensors& file, const std::string& problem) {
    ASSERT_TRUE(write_safetensors(path, views_of(file.tensors), file.metadata).has_value());
    const Outcome refused = tarn("train m.tarn --resume ck --epochs 4");
    EXPECT_EQ(refused.status, 1) << problem;
    EXPECT_THAT(refused.err, HasSubstr(problem));
  };
  for (const char* counter : {"step", "epoch"}) {
    for (const double value : {0.5, -1.0, 1e300}) {
      Safetensors file = *good;
      for (NamedArray& tensor : file.tensors) {
        if (tensor.name == counter) std::memcpy(tensor.array.data.data(), &value, sizeof(value));
      }
      expect_refusal(file, fmt::format("'{}' holds {}, which is no count", counter, value));
    }
  }
  for (const char* seed : {"", "x", "-1", "10000000000000000"}) {
    Safetensors file = *good;
    file.metadata["seed"] = seed;
    expect_refusal(file, "is not a checkpoint");
  }
}

// What is trained is written, even where the signal to stop comes between the last epoch and the weights: here while
// nobody reads the history, which is a pipe.
TEST_F(Driver, ASignalBehindTheLastEpochLosesNothing) {
  write("m.tarn", kLine);
  write("d.csv", "x,t\n1,2\n2,4\n");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const Outcome done = tarn(
      "train m.tarn --quiet --history pipe --checkpoint ck --every 1000 -o w.safetensors & pid=$!; "
      "for i in $(seq 600); do [ -e ck/checkpoint.safetensors ] && break; sleep 0.1; done; sleep 0.2; "
      "kill -TERM $pid; sleep 0.2; timeout 20 cat pipe >history.csv; wait $pid");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_TRUE(exists("w.safetensors"));
  EXPECT_THAT(read_text(folder_ / "history.csv"), HasSubstr("epoch,loss,seconds\n1,"));
}

}  // namespace
}  // namespace tarn::driver_test
