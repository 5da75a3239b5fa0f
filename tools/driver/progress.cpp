// Drawing of progress. See progress.h.
#include "tools/driver/progress.h"

#include <fmt/format.h>

#include <cstdio>

namespace tarn {

namespace {

constexpr int kBarWidth = 24;
constexpr std::chrono::milliseconds kRedraw{50}, kLine{1000};

std::string bar(double done) {
  const int filled = static_cast<int>(done * kBarWidth);
  return "[" + std::string(static_cast<std::size_t>(filled), '=') +
         std::string(static_cast<std::size_t>(kBarWidth - filled), '.') + "]";
}

std::string duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f} s", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

void Progress::after_epoch(const Program& program, const EpochReport& report) {
  if (console_.quiet() || console_.json()) return;
  const auto now = Clock::now();
  const bool is_last = report.epoch == report.epochs;
  if (first_epoch_ == 0) first_epoch_ = report.epoch;
  if (!is_last && now - last_ < (console_.interactive() ? kRedraw : kLine)) return;
  last_ = now;
  const std::size_t most = console_.interactive() ? 4 : 100;
  std::string metrics = metric_text(program, report.training, "", most);
  if (report.validation) metrics += "  " + metric_text(program, *report.validation, "val_", most);
  if (!console_.interactive()) {
    std::fprintf(stderr, "%s\n", fmt::format("epoch {}/{}  {}", report.epoch, report.epochs, metrics).c_str());
    return;
  }
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double an_epoch = elapsed / static_cast<double>(report.epoch - first_epoch_ + 1);
  const double left = an_epoch * static_cast<double>(report.epochs - report.epoch);
  std::fprintf(
      stderr, "\r\033[K%s",
      fmt::format("epoch {}/{} {}  {}  {} left", report.epoch, report.epochs,
                  bar(static_cast<double>(report.epoch) / static_cast<double>(report.epochs)), metrics, duration(left))
          .c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::finish() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace tarn
