// The choices that make a random model. Whoever makes one asks for number after number; the list of them says which
// model it was, so that a shorter list, or one with smaller numbers, is a smaller model that is as valid (MacIver,
// Donaldson: Test-case reduction via test-case generation, 2020).
//
// Contract: 0 is the simplest answer to every question, and what is asked beyond the end of a list is 0.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tarn::models {

class Choices {
 public:
  // New ones, drawn from the seed.
  explicit Choices(std::uint64_t seed) : engine_(seed), draws_(true) {}
  // Those of a list again.
  explicit Choices(std::vector<std::uint32_t> list) : list_(std::move(list)) {}

  // A number from 0 to count - 1.
  std::uint32_t below(std::size_t count);
  // True once in `times`.
  bool once_in(std::uint32_t times) { return below(times) + 1 == times; }
  bool flip() { return once_in(2); }
  template <class List>
  const auto& one_of(const List& list) {
    return list[below(std::size(list))];
  }

  // What was answered so far.
  const std::vector<std::uint32_t>& answers() const { return answers_; }

 private:
  std::mt19937_64 engine_;
  bool draws_ = false;
  std::vector<std::uint32_t> list_, answers_;
};

}  // namespace tarn::models
