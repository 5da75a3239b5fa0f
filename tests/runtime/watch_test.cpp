// Early stopping, plateaus and "the best": sequences of a quantity whose outcome was worked out by hand from the rules
// of Keras 3 (keras/src/callbacks/early_stopping.py, reduce_lr_on_plateau.py).
#include "runtime/training/watch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tarn {
namespace {

struct Stop {
  const char* name;
  EarlyStopping setting;
  std::vector<double> values;  // of epochs 1, 2, …
  std::size_t stops_after;     // 0: never
  std::size_t best;            // the epoch
};

EarlyStopping stopping(std::int64_t patience, double min_delta = 0, const char* monitor = "val_loss",
                       const char* mode = "min") {
  EarlyStopping setting;
  setting.patience = patience;
  setting.min_delta = min_delta;
  setting.monitor = monitor;
  setting.mode = mode;
  return setting;
}
EarlyStopping with_baseline(EarlyStopping setting, double baseline) {
  setting.baseline = baseline;
  return setting;
}
EarlyStopping starting_from(EarlyStopping setting, std::int64_t epoch) {
  setting.start_from_epoch = epoch;
  return setting;
}

class EarlyStops : public ::testing::TestWithParam<Stop> {};

TEST_P(EarlyStops, AsKerasDoes) {
  const EarlyStopper stopper(GetParam().setting);
  Watched watched;
  std::size_t best = 0, stops = 0;
  for (std::size_t epoch = 1; epoch <= GetParam().values.size() && stops == 0; ++epoch) {
    const EarlyStopper::Verdict verdict =
        stopper.after_epoch(static_cast<std::int64_t>(epoch), GetParam().values[epoch - 1], watched);
    if (verdict.is_best) best = epoch;
    if (verdict.stops) stops = epoch;
  }
  EXPECT_EQ(stops, GetParam().stops_after);
  EXPECT_EQ(best, GetParam().best);
  EXPECT_EQ(stopper.has_ended(watched), stops > 0);
}

INSTANTIATE_TEST_SUITE_P(
    Watch, EarlyStops,
    ::testing::Values(Stop{"patience_0_and_1_are_alike_0", stopping(0), {3, 2, 2, 1}, 3, 2},
                      Stop{"patience_0_and_1_are_alike_1", stopping(1), {3, 2, 2, 1}, 3, 2},
                      Stop{"patience_2", stopping(2), {3, 2, 2.5, 1, 2, 2, 0}, 6, 4},
                      Stop{"equal_is_not_better", stopping(2), {1, 1, 1}, 3, 1},
                      Stop{"min_delta", stopping(2, 0.5), {3, 2.6, 2.5, 0}, 3, 1},
                      Stop{"min_delta_is_of_the_best", stopping(2, 0.5), {3, 2.6, 2.4, 2.2, 1.8}, 0, 5},
                      Stop{"larger_is_better", stopping(1, 0, "val_accuracy", "max"), {0.5, 0.6, 0.55, 0.9}, 3, 2},
                      Stop{"smaller_is_better", stopping(1, 0, "val_accuracy", "min"), {0.5, 0.6, 0.4}, 2, 1},
                      // A baseline that is never beaten: an epoch that is the best so far ends nothing, but patience
                      // does not start anew.
                      Stop{"baseline", with_baseline(stopping(2), 1), {5, 4, 3, 3.5, 0}, 4, 3},
                      Stop{"baseline_beaten", with_baseline(stopping(2), 1), {5, 0.9, 2, 2, 0}, 4, 2},
                      Stop{"start_from_epoch", starting_from(stopping(1), 2), {1, 2, 5, 4, 4, 0}, 5, 4},
                      Stop{"nan_is_never_best", stopping(2), {NAN, NAN, 1}, 2, 0},
                      Stop{"not_after_the_first_epoch", stopping(0), {NAN, 2, 1}, 0, 3}),
    [](const auto& info) { return std::string(info.param.name); });

struct Plateau {
  const char* name;
  std::int64_t patience, cooldown;
  double min_delta;
  std::vector<double> values;
  std::set<std::size_t> lowered;  // after these epochs
};

class Plateaus : public ::testing::TestWithParam<Plateau> {};

TEST_P(Plateaus, LowerRatesAsKerasDoes) {
  ReduceOnPlateau setting;
  setting.patience = GetParam().patience;
  setting.cooldown = GetParam().cooldown;
  setting.min_delta = GetParam().min_delta;
  const PlateauWatcher watcher(setting);
  Watched watched;
  std::set<std::size_t> lowered;
  for (std::size_t i = 0; i < GetParam().values.size(); ++i) {
    if (watcher.after_epoch(GetParam().values[i], watched)) lowered.insert(i + 1);
  }
  EXPECT_EQ(lowered, GetParam().lowered);
}

INSTANTIATE_TEST_SUITE_P(Watch, Plateaus,
                         ::testing::Values(Plateau{"patience_1", 1, 0, 0, {3, 3, 3, 2, 2}, {2, 3, 5}},
                                           Plateau{"patience_2", 2, 0, 0, {3, 3, 3, 3, 3, 2}, {3, 5}},
                                           Plateau{"min_delta", 2, 0, 1, {3, 2.5, 2.1, 1.9}, {3}},
                                           // In the two epochs of a cooldown no waiting is counted, in the last of them
                                           // it begins.
                                           Plateau{"cooldown", 1, 2, 0, {3, 3, 3, 3, 3, 3}, {2, 4, 6}},
                                           Plateau{"best_in_cooldown", 2, 3, 0, {3, 3, 3, 1, 2, 2, 2}, {3, 7}}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tarn
