// What `tarn train` leaves behind and goes on from: checkpoints, histories, reports, and its warnings.
#include <gmock/gmock.h>

#include <bit>
#include <cstring>
#include <utility>

#include "runtime/files/npy.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Wine with everything that remembers something from step to step or epoch to epoch.
std::string wine(const std::string& lines, int epochs = 30) {
  return "model wine {\n  input x[13]\n  output y = x |> batch_norm(momentum = 0.5) |> dense(8, relu) |> dropout(0.2) "
         "|> dense(3, "
         "softmax)\n}\n"
         "train {\n  target t[3]\n  loss categorical_crossentropy(y, t)\n  metric accuracy(y, t)\n"
         "  optimizer adam(lr = 0.02)\n  epochs " +
         std::to_string(epochs) + "\n  batch 16\n  validation_split 0.25\n" + lines +
         "}\ndata {\n  csv \"data/wine.csv\"\n  shuffle_rows 1\n  x = columns(\"alcohol\"..\"proline\")\n"
         "  t = one_hot(column(\"cultivar\"))\n}\n";
}

const char* const kMemory =
    "  ema(0.9, overwrite_every = 7)\n  accumulate 3\n"
    "  early_stopping(patience = 6, restore_best = true)\n  reduce_on_plateau(patience = 2, factor = 0.5, cooldown = "
    "1)\n";

// Lines of a history without the times.
std::vector<std::string> epochs_in(const std::string& csv) {
  std::vector<std::string> lines;
  std::istringstream text(csv);
  std::string line;
  std::getline(text, line);
  while (std::getline(text, line)) lines.push_back(line.substr(0, line.rfind(',')));
  return lines;
}

TEST_F(Driver, TrainingStaysWithinThePeakThatSummaryStates) {
  if (TARN_SANITIZED) return;  // sanitizers have memory of their own
  constexpr std::int64_t kRows = 1000, kWidth = 4096;
  const auto zeros = [&](const char* name, std::int64_t width) {
    ASSERT_TRUE(write_npy((folder_ / name).string(), Array::zeros(ArrayType::f32, {kRows, width})));
  };
  zeros("x.npy", kWidth);
  zeros("t.npy", 1);
  // Most of the one is data, of the other weights, which are copied where the best are kept.
  const std::pair<const char*, const char*> cases[] = {
      {"dense(8, relu)", ""}, {"dense(800, relu)", "  validation_split 0.1\n  early_stopping(restore_best = true)\n"}};
  for (const auto& [layer, setting] : cases) {
    write("m.tarn", fmt::format("model m {{\n  input x[{}]\n  output y = x |> {} |> dense(1)\n}}\ntrain {{\n  target "
                                "t[1]\n  loss mse(y, t)\n  optimizer sgd\n  epochs 2\n  batch 250\n{}}}\n"
                                "data {{ npy x = \"x.npy\", t = \"t.npy\" }}\n",
                                kWidth, layer, setting));
    const auto peak = events(tarn("summary m.tarn --json").out).back()["peak_bytes"].get<std::int64_t>();
    for (const char* options : {"--no-cache", ""}) {
      const Outcome trained = tarn(fmt::format("train m.tarn --json {}", options));
      ASSERT_EQ(trained.status, 0) << trained.err;
      const auto most = events(trained.out).back()["memory_bytes"].get<std::int64_t>();
      constexpr std::int64_t kData = kRows * (kWidth + 1) * 4;
      EXPECT_LE(most, peak + kData) << layer << " " << options;
      EXPECT_GE(most, kData);
    }
  }
}

// Data are read while code is made, but nobody waits for data that no run will need.
TEST_F(Driver, WhatIsWrongBesideTheDataIsSaidBeforeTheyAreThere) {
  write("m.tarn",
        "model m { input x[1]\n output y = x |> dense(1) }\ntrain { target t[1]\n loss mse(y, t)\n "
        "optimizer sgd }\ndata { csv \"never.csv\"\n x = column(0)\n t = column(1) }\n");
  ASSERT_EQ(test::run(fmt::format("mkfifo '{}'", (folder_ / "never.csv").string())).status, 0);
  for (const char* wrong :
       {"-o missing/w.safetensors", "--cpu nonsense", "--resume missing", "--weights missing.npz"}) {
    const Outcome outcome = tarn(fmt::format("train m.tarn {}", wrong));
    EXPECT_EQ(outcome.status, 1) << wrong;
    EXPECT_THAT(outcome.err, HasSubstr(std::string(wrong).substr(std::string(wrong).find(' ') + 1)));
  }
}

TEST_F(Driver, EverythingThatTrainingRemembersIsInACheckpoint) {
  write("m.tarn", wine(kMemory, 300));
  const Outcome whole = tarn("train m.tarn -o whole.safetensors --history whole.csv");
  ASSERT_EQ(whole.status, 0) << whole.err;
  const std::vector<std::string> epochs = epochs_in(read_text(folder_ / "whole.csv"));
  ASSERT_THAT(whole.err, HasSubstr("stopped early"));
  ASSERT_GT(epochs.size(), 6U);
  // Behind the first epoch, in the middle of waiting, and where training has ended.
  for (const std::size_t cut : {std::size_t{1}, epochs.size() - 3, epochs.size()}) {
    SCOPED_TRACE(cut);
    ASSERT_EQ(
        tarn(fmt::format("train m.tarn --epochs {} --checkpoint c -o part.safetensors --history part.csv", cut)).status,
        0);
    const Outcome resumed = tarn("train m.tarn --resume c -o resumed.safetensors --history rest.csv");
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_EQ(read_text(folder_ / "whole.safetensors"), read_text(folder_ / "resumed.safetensors"));
    std::vector<std::string> parts = epochs_in(read_text(folder_ / "part.csv"));
    for (const std::string& line : epochs_in(read_text(folder_ / "rest.csv"))) parts.push_back(line);
    EXPECT_EQ(parts, epochs);
  }
}

TEST_F(Driver, MorePatienceGoesOnFromWhereTrainingStoppedEarly) {
  write("m.tarn", wine(kMemory, 300));
  const Outcome patient = tarn("train m.tarn --set early_stopping.patience=12 -o patient.safetensors");
  ASSERT_EQ(patient.status, 0) << patient.err;
  ASSERT_EQ(tarn("train m.tarn --checkpoint c").status, 0);
  ASSERT_EQ(tarn("train m.tarn --set early_stopping.patience=12 --resume c -o resumed.safetensors").status, 0);
  EXPECT_EQ(read_text(folder_ / "patient.safetensors"), read_text(folder_ / "resumed.safetensors"));
}

double printed_number(const Outcome& printed) { return events(printed.out).front()["values"].get<double>(); }

TEST_F(Driver, TheTrainBlockWritesCheckpoints) {
  write("m.tarn",
        wine("  checkpoint(\"best\", best = true, monitor = \"val_loss\")\n  checkpoint(\"often\", every = 4)\n"));
  const Outcome trained = tarn("train m.tarn --history h.csv --json");
  ASSERT_EQ(trained.status, 0) << trained.err;
  double best_loss = INFINITY, best_epoch = 0;
  for (const json& event : events(trained.out)) {
    if (event["event"] != "epoch" || event["val_loss"] >= best_loss) continue;
    best_loss = event["val_loss"];
    best_epoch = event["epoch"];
  }
  EXPECT_EQ(printed_number(tarn("weights best/checkpoint.safetensors --print epoch --json")), best_epoch);
  EXPECT_EQ(printed_number(tarn("weights often/checkpoint.safetensors --print epoch --json")), 28);
  // A checkpoint serves as weights, and --resume finds the one of the block.
  EXPECT_EQ(tarn("eval m.tarn --weights best/checkpoint.safetensors").status, 0);
  const Outcome resumed = tarn("train m.tarn --resume -o resumed.safetensors");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(read_text(folder_ / "m.safetensors"), read_text(folder_ / "resumed.safetensors"));
}

TEST_F(Driver, ClassWeightsGoByLabelAsByNumber) {
  // The classes are numbered in the order of their first appearance, which the first row says.
  std::ifstream table(test::example("data/wine.csv"));
  std::string line;
  std::getline(table, line);
  std::getline(table, line);
  ASSERT_TRUE(line.ends_with("class_0"));
  write("by_number.tarn", wine("  class_weight {2: 5, 0: 0.5}\n"));
  write("by_label.tarn", wine("  class_weight {\"class_2\": 5, \"class_0\": 0.5}\n"));
  write("without.tarn", wine(""));
  const auto losses = [&](const char* model) {
    const Outcome trained = tarn(fmt::format("train {} --epochs 3 --json", model));
    EXPECT_EQ(trained.status, 0) << trained.err;
    std::vector<double> found;
    for (const json& event : events(trained.out)) {
      if (event["event"] == "epoch") found.push_back(event["loss"]);
    }
    return found;
  };
  EXPECT_EQ(losses("by_label.tarn"), losses("by_number.tarn"));
  EXPECT_NE(losses("by_label.tarn"), losses("without.tarn"));
  // As in Keras, they are for training alone.
  EXPECT_EQ(tarn("eval by_label.tarn --weights by_label.safetensors").out,
            tarn("eval without.tarn --weights by_label.safetensors").out);
  write("wrong.tarn", wine("  class_weight {\"class_3\": 5}\n"));
  const Outcome wrong = tarn("train wrong.tarn");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("'t' has no label 'class_3'; it has class_0, class_1, class_2"));
}

TEST_F(Driver, WarnsOfAValidationThatSaysNothing) {
  std::string sorted = wine("");
  sorted.erase(sorted.find("  shuffle_rows 1\n"), std::strlen("  shuffle_rows 1\n"));
  write("sorted.tarn", sorted);
  const Outcome trained = tarn("train sorted.tarn --epochs 1");
  EXPECT_EQ(trained.status, 0);
  EXPECT_THAT(trained.err,
              HasSubstr("the last 45 rows, which validation_split keeps for validation, have no 'class_0', "
                        "'class_1' of 't'"));
  EXPECT_THAT(trained.err, HasSubstr("shuffle_rows"));
  write("mixed.tarn", wine(""));
  EXPECT_THAT(tarn("train mixed.tarn --epochs 1").err, Not(HasSubstr("warning")));
  const Outcome blind = tarn("train mixed.tarn --epochs 1 --set validation_split=0 --set 'early_stopping=1'");
  EXPECT_NE(blind.status, 0);
  write("blind.tarn", wine("  early_stopping(patience = 1)\n"));
  EXPECT_THAT(tarn("train blind.tarn --epochs 4 --set validation_split=0").err,
              HasSubstr("early_stopping follows 'val_loss', and there is nothing to validate on"));
}

// Table-driven CRC-32C is what the driver has; this one goes bit by bit.
std::uint32_t checksum(const std::string& bytes) {
  std::uint32_t value = ~0U;
  for (const char c : bytes) {
    value ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (0x82f63b78U & (0U - (value & 1U)));
  }
  return ~value;
}

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// The events of a file, whose lengths and checksums must be right.
std::vector<std::string> tensorboard_events(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_THAT(entry.path().filename().string(), HasSubstr("tfevents"));
    const std::string file = read_text(entry.path());
    const auto expect_checksum = [&](const std::string& bytes, std::size_t at) {
      const std::uint32_t sum = checksum(bytes);
      EXPECT_EQ(number_at<std::uint32_t>(file, at), ((sum >> 15) | (sum << 17)) + 0xa282ead8U);
    };
    for (std::size_t at = 0; at < file.size();) {
      const auto length = number_at<std::uint64_t>(file, at);
      expect_checksum(file.substr(at, 8), at + 8);
      found.push_back(file.substr(at + 12, length));
      expect_checksum(found.back(), at + 12 + length);
      at += 16 + length;
    }
  }
  return found;
}

TEST_F(Driver, WritesEventsForTensorBoard) {
  EXPECT_EQ(checksum("123456789"), 0xe3069283U);  // RFC 3720
  write("m.tarn", wine(""));
  const Outcome trained = tarn("train m.tarn --epochs 3 --tensorboard logs --json");
  ASSERT_EQ(trained.status, 0) << trained.err;
  const std::vector<std::string> training = tensorboard_events(folder_ / "logs/train");
  ASSERT_EQ(training.size(), 1U + 3 * 2);
  EXPECT_THAT(training[0], HasSubstr("brain.Event:2"));
  EXPECT_THAT(training[1], HasSubstr("epoch_loss"));
  EXPECT_THAT(training[2], HasSubstr("epoch_accuracy"));
  // A scalar ends in its value, 4 bytes.
  const double loss = events(trained.out).at(1)["loss"];
  EXPECT_EQ(number_at<float>(training[1], training[1].size() - 4), static_cast<float>(loss));
  // Time (key and 8 bytes), then the step (key and number).
  EXPECT_EQ(training[5].substr(9, 2), std::string("\x10\x02"));
  EXPECT_EQ(tensorboard_events(folder_ / "logs/validation").size(), 1U + 3 * 2);
}

TEST_F(Driver, ReportsOnAPageThatNeedsNothingElse) {
  write("m.tarn", wine(""));
  ASSERT_EQ(tarn("train m.tarn --epochs 5 --report r.html").status, 0);
  const std::string page = read_text(folder_ / "r.html");
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_THAT(page, HasSubstr("Training of wine"));
  EXPECT_THAT(page, HasSubstr("aria-label=\"accuracy\""));
  EXPECT_THAT(page, HasSubstr("class=\"validation\" d=\"M"));
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("nan")));
}

TEST_F(Driver, AHistoryIsThereWhenTrainingFails) {
  const Outcome trained = tarn("train line.tarn --set 'optimizer=sgd(lr = 1e6)' --set hidden=linear --history h.csv");
  EXPECT_EQ(trained.status, 1);
  EXPECT_TRUE(exists("h.csv"));
}

TEST_F(Driver, WhatCannotBeWrittenIsSaidBeforeTraining) {
  write("m.tarn", wine(""));
  write("block.tarn", wine("  checkpoint(\"taken/deep\", every = 1)\n"));
  write("taken", "a file, where a folder is needed");
  fs::create_directory(folder_ / "folder");
  fs::create_directories(folder_ / "full/checkpoint.safetensors");
  const struct {
    const char* arguments;
    const char* message;
  } cases[] = {
      {"m.tarn -o no/such/w.safetensors", "cannot write 'no/such/w.safetensors': No such file or directory"},
      {"m.tarn -o folder", "cannot write 'folder': Is a directory"},
      {"m.tarn -o taken/w.npz", "cannot write 'taken/w.npz': Not a directory"},
      {"m.tarn --history no/h.csv", "cannot write 'no/h.csv': No such file or directory"},
      {"m.tarn --report folder", "cannot write 'folder': Is a directory"},
      {"m.tarn --tensorboard taken", "cannot write 'taken': Not a directory"},
      {"m.tarn --tensorboard taken/logs", "cannot write 'taken/logs': Not a directory"},
      {"m.tarn --checkpoint taken/deep/er", "cannot write 'taken/deep/er': Not a directory"},
      {"m.tarn --checkpoint full", "cannot write 'full/checkpoint.safetensors': Is a directory"},
      {"block.tarn", "taken/deep': Not a directory"},
  };
  for (const auto& item : cases) {
    SCOPED_TRACE(item.arguments);
    const Outcome refused = tarn(fmt::format("train --epochs 2 {}", item.arguments));
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr(item.message));
    EXPECT_THAT(refused.err, Not(HasSubstr("epoch")));
    EXPECT_FALSE(exists("m.safetensors"));
  }
  // Devices are written to, and folders of logs and checkpoints are made.
  const Outcome trained = tarn("train --epochs 2 m.tarn -o /dev/null --checkpoint new/c --tensorboard new/t");
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_TRUE(exists("new/c/checkpoint.safetensors"));
}

}  // namespace
}  // namespace tarn::driver_test
