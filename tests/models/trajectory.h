// What a model does in an epoch of a few steps, whoever runs it: the initial weights, the fitted states, the state and
// the metrics behind the steps, the metrics of an evaluation, predictions.
//
// The rows of training come in a drawn order, those of the rest as they stand; the last batch is smaller than the
// others, unless the rows say otherwise.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "ir/diagnostics.h"
#include "ir/evaluator.h"
#include "ir/program.h"
#include "passes/pipeline.h"
#include "tests/models/generator.h"

namespace tarn::models {

struct Observation {
  std::string name;  // "trained dense_1.kernel"
  std::vector<double> values;
};
using Trajectory = std::vector<Observation>;

// A model with its program and its data.
struct Subject {
  RandomModel model;
  Program program;                                      // offsets are assigned
  std::map<std::string, HostTensor, std::less<>> data;  // [rows, …] of each input and target
  std::vector<std::uint32_t> order;
  std::map<std::string, Graph> meant;  // what the evaluator runs
  // Something is computed in f32, whatever else is.
  bool has_singles = false;
};
Result<Subject> prepare(const RandomModel& model);

// Of the state all but the number of epochs, which the loop around them counts in some programs and the epoch itself in
// others.
bool is_observed(const TensorInfo& tensor);

// Whether every number of it is finite.
bool is_finite(const Trajectory& trajectory);

// By the reference evaluator. noise: see EvaluationContext.
Result<Trajectory> evaluated(const Subject& subject, double noise = 0, std::uint64_t noise_seed = 0,
                             bool rounds = false);

struct InterpretedOptions {
  PlanOptions planning;
  std::vector<std::string> disabled;  // passes
  bool reversed = false;
};
Result<Trajectory> interpreted(const Subject& subject, const InterpretedOptions& options);

struct NativeOptions {
  std::string cpu = "native";
  std::vector<std::string> disabled;  // passes
  bool fuses = true;
  // Every kernel that can be is shared, in so many parts, the last one first.
  int parts = 1;
  bool packs = false;  // predicts with packed weights
  // Losses and metrics in the type of the loss, as compiled models give them.
  bool rounds_metrics = false;
};
Result<Trajectory> native(const Subject& subject, const NativeOptions& options);

// A shared object that `tarn compile` makes for the CPU, its training shared in so many parts.
Result<Trajectory> as_shared_object(const Subject& subject, const std::string& cpu, int threads);
// WebAssembly, run by Node, where there is that.
Result<Trajectory> as_web_assembly(const Subject& subject);
bool has_node();

// A ParallelFor that runs the last part first.
inline void run_parts_backwards(void*, std::size_t count, void (*body)(void*, std::size_t), void* argument) {
  while (count > 0) body(argument, --count);
}

}  // namespace tarn::models
