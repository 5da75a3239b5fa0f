// See shrinker.h.
#include "tests/models/shrinker.h"

#include <algorithm>
#include <bit>

namespace tarn::models {

namespace {

class Shrinker {
 public:
  Shrinker(Answers answers, const std::function<bool(const Answers&)>& fails, int most_questions)
      : answers_(std::move(answers)), fails_(fails), left_(most_questions) {}

  Answers shrunk() {
    while (left_ > 0) {
      const Answers before = answers_;
      // A statement is a stretch of answers of any length up to about this.
      constexpr std::size_t kOfStatement = 32;
      for (std::size_t size = answers_.size() / 2; size > 0; size = size > kOfStatement ? size / 2 : size - 1) {
        const std::size_t step = size > kOfStatement ? size : 1;
        for (std::size_t at = 0; at < answers_.size();) at += leaves_out(at, size) || zeroes(at, size) ? 0 : step;
      }
      for (std::size_t at = 0; at < answers_.size(); ++at) lower(at);
      if (answers_ == before) break;
    }
    return std::move(answers_);
  }

 private:
  bool accepts(Answers candidate) {
    if (candidate == answers_ || left_ <= 0) return false;
    --left_;
    if (!fails_(candidate)) return false;
    answers_ = std::move(candidate);
    return true;
  }

  bool leaves_out(std::size_t at, std::size_t size) {
    Answers shorter = answers_;
    const auto first = shorter.begin() + static_cast<std::ptrdiff_t>(at);
    shorter.erase(first, first + static_cast<std::ptrdiff_t>(std::min(size, shorter.size() - at)));
    return accepts(std::move(shorter));
  }

  // Never says so: the numbers stay where they are.
  bool zeroes(std::size_t at, std::size_t size) {
    if (!std::has_single_bit(size)) return false;
    Answers simpler = answers_;
    const auto first = simpler.begin() + static_cast<std::ptrdiff_t>(at);
    std::fill(first, first + static_cast<std::ptrdiff_t>(std::min(size, simpler.size() - at)), 0);
    accepts(std::move(simpler));
    return false;
  }

  void lower(std::size_t at) {
    for (std::uint32_t step = answers_[at]; step > 0; step /= 2) {
      while (at < answers_.size() && answers_[at] >= step) {
        Answers smaller = answers_;
        smaller[at] -= step;
        if (!accepts(std::move(smaller))) break;
      }
    }
  }

  Answers answers_;
  const std::function<bool(const Answers&)>& fails_;
  int left_;
};

}  // namespace

Answers shrink(Answers answers, const std::function<bool(const Answers&)>& fails, int most_questions) {
  return Shrinker(std::move(answers), fails, most_questions).shrunk();
}

}  // namespace tarn::models
