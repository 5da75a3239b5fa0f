// Whether all who can run a model agree on it.
//
// What roundings may do to a model is measured: the evaluator runs it again with noise at every operation, a good deal
// larger than what the machine rounds, and results may differ by what it then scatters, scaled down. So the bound
// follows the conditioning of each model and each of its tensors. A tensor whose noise is blown up without measure, as
// where a maximum or a comparison flips, is not compared (`skipped`); where bits are promised all are.
#pragma once

#include <string>
#include <vector>

#include "tests/models/generator.h"
#include "tests/models/trajectory.h"

namespace tarn::models {

// Somebody who runs models.
struct Engine {
  std::string name;
  Result<Trajectory> (*run)(const Subject& subject);
  // Whose bits it must have; empty: it must be near the evaluator.
  std::string bits_of = {};
};
const std::vector<Engine>& engines();
// All of them, or the first two and, in turn, one of the others.
std::vector<Engine> engines_for(std::uint64_t seed, bool all);

struct Verdict {
  enum class Kind {
    agree,
    differ,      // an engine is beyond the bound, or has other bits
    invalid,     // the file does not compile
    failed,      // an engine gives an error where the evaluator gives numbers
    not_finite,  // the evaluator gives a number that is not finite: nothing is compared
    crashed,     // by a signal; only judge_apart says so
    too_slow,
  } kind = Kind::agree;
  std::string engine, what;
  std::size_t compared = 0, skipped = 0;  // tensors and other observations

  bool is_good() const { return kind == Kind::agree || kind == Kind::not_finite; }
};
const char* name_of(Verdict::Kind kind);

Verdict judge(const RandomModel& model, const std::vector<Engine>& by);
// In a process of its own, which may crash, and has so many seconds.
Verdict judge_apart(const RandomModel& model, const std::vector<Engine>& by, unsigned seconds = 60);

}  // namespace tarn::models
