// Random choices for shapes of kernels; the same from the same seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace tarn::testing {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  std::int64_t between(std::int64_t first, std::int64_t last) {
    return std::uniform_int_distribution<std::int64_t>(first, last)(engine_);
  }
  bool one_in(std::int64_t n) { return between(1, n) == 1; }
  // One of these, or one more or less; at least 1.
  std::int64_t near(const std::vector<std::int64_t>& numbers) {
    const auto at = static_cast<std::size_t>(between(0, static_cast<std::int64_t>(numbers.size()) - 1));
    return std::max<std::int64_t>(numbers[at] + between(-1, 1), 1);
  }
  template <class T>
  void shuffle(std::vector<T>& list) {
    std::shuffle(list.begin(), list.end(), engine_);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tarn::testing
