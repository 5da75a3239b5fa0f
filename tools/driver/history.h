// What training leaves of its epochs for people and other programs: a table, curves, event files.
#pragma once

#include <string>
#include <vector>

#include "runtime/training/training.h"

namespace tarn {

// Losses and metrics over the epochs of a run, a curve for each value; those of more than kMostCurves are left out.
class History {
 public:
  explicit History(const Program& program) : program_(program) {}
  void add(const EpochReport& report) { epochs_.push_back(report); }
  bool empty() const { return epochs_.empty(); }

  // One line of a curve: "loss" in training, "val_loss" in validation.
  struct Series {
    std::string name;
    bool of_validation = false;
    std::vector<std::int64_t> epochs;
    std::vector<double> values;
  };
  // Those of training, then those of validation, in the order of Program::metrics.
  std::vector<Series> series() const;

  static constexpr std::int64_t kMostCurves = 1000;

  // A header, then a line an epoch: epoch, losses and metrics, those of validation where the run validates, seconds.
  std::string csv(bool validates) const;
  // A page that needs nothing else: what was trained, and a chart of each quantity, training and validation together;
  // and behind that the sections (HTML) that are given.
  std::string html(const std::string& title, const std::string& sections = "") const;

 private:
  // The same with those that have no epoch.
  std::vector<Series> all_series() const;
  Series series_of(std::size_t metric, std::size_t value, bool of_validation) const;

  const Program& program_;
  std::vector<EpochReport> epochs_;
};

}  // namespace tarn
