// Progress of training on standard error: a line that is redrawn on a terminal, else a line an epoch at most every
// second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "runtime/training/training.h"
#include "tools/driver/command.h"

namespace tarn {

class Progress {
 public:
  explicit Progress(const Console& console) : console_(console), start_(Clock::now()) {}
  void after_epoch(const Program& program, const EpochReport& report);
  // Takes the line on the terminal away, so that what follows starts on a clean one.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  const Console& console_;
  Clock::time_point start_, last_;
  bool drawn_ = false;
  std::int64_t first_epoch_ = 0;
};

}  // namespace tarn
