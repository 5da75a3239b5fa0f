// How often each class of a target is taken for which: confusion matrices of the outputs that tell classes apart, and
// the rows that show best what a model takes for what.
//
// An output has classes where the losses compare it with one target and this says of every row which class it is of: by
// its number, or by a 1 among zeros. So labels are classes, and the parts of a mixture are not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/session/session.h"

namespace tarn {

// A row with its class and that which the output gives.
struct ClassifiedRow {
  std::uint64_t row = 0;
  std::uint64_t target = 0, predicted = 0;  // classes
  double value = 0;                         // of the output, for the predicted class
  bool is_probability = false;              // whether `value` is one
  bool is_right() const { return target == predicted; }
};

struct ConfusionMatrix {
  std::string output, target;         // of the program, by name
  std::vector<std::string> classes;   // their names; numbers where they have none
  std::vector<std::uint64_t> counts;  // classes x classes, row-major: a row for each class of the target
  // As many as were asked for: those that are wrong, the surest first, then right ones in the order of the data.
  std::vector<ClassifiedRow> rows;

  std::uint64_t at(std::size_t target_class, std::size_t predicted) const {
    return counts[target_class * classes.size() + predicted];
  }
  std::uint64_t all() const;
  std::uint64_t right() const;
  // How many rows are of the class, and how many are taken for it.
  std::uint64_t of_class(std::size_t target_class) const;
  std::uint64_t taken_for(std::size_t predicted) const;
  // Shares of these that are right; nothing where there are none.
  std::optional<double> recall(std::size_t target_class) const;
  std::optional<double> precision(std::size_t predicted) const;
};

// An output of more classes has no matrix.
inline constexpr std::int64_t kMostClassesOfMatrix = 1000;

// Whether an output of the program may have classes, as far as is known without data.
bool may_have_classes(const Program& program);

// A matrix for each output whose targets are classes. Needs the function `predict`. A row whose class is one that does
// not count (`ignore_class`) is left out.
Outcome confusion_matrices(Session& session, const Rows& rows, std::size_t wanted_rows,
                           std::vector<ConfusionMatrix>& matrices);

}  // namespace tarn
