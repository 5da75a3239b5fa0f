// Derivatives against central differences, in double precision by the reference evaluator: `tarn check --gradients` and
// the tests of the examples.
#pragma once

#include <string>
#include <vector>

#include "ir/evaluator.h"
#include "ir/program.h"

namespace tarn {

struct GradientCheck {
  std::string tensor;
  std::int64_t elements = 0;  // how many were compared
  // The largest |derivative − difference| over the elements, relative to max(1, |derivative|, |difference|), and where
  // it stands.
  double largest_error = 0;
  std::int64_t at = 0;
  double derivative = 0, difference = 0;
};

// Compares the gradient by every trainable parameter, of the losses that are for it, with central differences at the
// point of the context (inputs, tensors; draws are the same on both sides because they are counter-based). At most
// `most` elements a tensor, evenly spread, are compared. The step is 1e-5 max(1, |w|): truncation error about h²,
// rounding error about 1e-16/h. Where a kink lies within the step, which shows in one-sided differences that disagree
// with each other, a step 1000 times smaller decides. What stop_gradient is given has the same value on both sides.
Result<std::vector<GradientCheck>> check_gradients(const Program& program, EvaluationContext context,
                                                   const Sources& sources, std::int64_t most = 200);

// The initial values of all tensors, by the reference evaluator.
Result<std::map<std::string, HostTensor, std::less<>>> initial_tensors(const Program& program, std::uint64_t seed,
                                                                       const Sources& sources);

}  // namespace tarn
