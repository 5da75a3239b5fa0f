// The data of a subject as compiled code takes and leaves them, each array between pages without access.
#pragma once

#include <cstddef>
#include <vector>

#include "tests/models/trajectory.h"
#include "tests/support/compiler/guarded_arrays.h"

namespace tarn::models {

void write_elements(std::byte* to, DType dtype, const std::vector<double>& values);
std::vector<double> read_elements(const std::byte* from, DType dtype, std::size_t count);

// Tensors of a state, all but metrics; values of metrics, as a report has them, the first of them the loss.
void append_state(const Program& program, const std::byte* state, const std::string& when, Trajectory& seen);
void append_metrics(const Program& program, const double* values, const std::string& when, Trajectory& seen);

// Inputs and targets, in the order of the program.
class InputArrays {
 public:
  explicit InputArrays(const Subject& subject);
  const void* const* pointers() const { return pointers_.data(); }
  std::size_t size() const { return pointers_.size(); }

 private:
  std::vector<testing::GuardedVector<std::byte>> arrays_;
  std::vector<const void*> pointers_;
};

class OutputArrays {
 public:
  explicit OutputArrays(const Subject& subject);
  void* const* pointers() const { return pointers_.data(); }
  std::size_t size() const { return pointers_.size(); }
  void append_to(Trajectory& seen) const;

 private:
  const Subject& subject_;
  std::vector<testing::GuardedVector<std::byte>> arrays_;
  std::vector<void*> pointers_;
};

}  // namespace tarn::models
