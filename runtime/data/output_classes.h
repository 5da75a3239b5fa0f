// Which class the values of an output stand for, by the vocabulary of the target that the losses compare it with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/program.h"
#include "runtime/data/vocabularies.h"
#include "runtime/files/array.h"

namespace tarn {

// How many classes the values of an output tell apart: one a number, or two where it is one probability; 0 where they
// stand in more than one axis, or are one number of another kind.
std::int64_t class_count_of(const Program& program, const OutputInfo& output);

// The class of a row of `width` values: the largest of them, the first of several; of one value, the second class where
// it is more than a half.
std::uint64_t class_of_row(const Array& values, std::uint64_t row, std::uint64_t width);

// The names of the classes of the output's target, one for each that the output tells apart: where the data had fewer
// labels, the others are called "class 2" by their numbers. Empty where the target has no names, and where the values
// of the output are not of classes.
std::vector<std::string> class_names_of(const Program& program, const OutputInfo& output,
                                        const Vocabularies& vocabularies);

// Names the classes of an output that has a number for each, or one probability of the second of two.
class OutputClasses {
 public:
  // Nothing for an output without a target that has names, and for one of another shape.
  static std::optional<OutputClasses> of(const Program& program, const OutputInfo& output,
                                         const Vocabularies& vocabularies);

  // That of the row, as class_of_row gives it.
  const std::string& name(const Array& values, std::uint64_t row) const;

 private:
  explicit OutputClasses(std::vector<std::string> names, std::uint64_t width)
      : names_(std::move(names)), width_(width) {}

  std::vector<std::string> names_;
  std::uint64_t width_;
};

}  // namespace tarn
