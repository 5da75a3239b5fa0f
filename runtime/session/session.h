// A session: the state of one model (weights, slots, counters) and the calls of native code on it.
//
// Contract: one thread trains a session; nothing here prints or keeps a pointer to the caller's arrays beyond a call.
// Batches are pointers to row-major samples in the dtypes of the program, in the order of Program::inputs.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/rows.h"
#include "runtime/data/vocabularies.h"
#include "runtime/files/array.h"
#include "runtime/session/epoch_position.h"
#include "runtime/session/model.h"
#include "runtime/session/thread_pool.h"

namespace tarn {

// The values of Program::metrics, in order, each in row-major order; "loss" is the first.
struct MetricValues {
  std::vector<std::vector<double>> values;
  double loss() const { return values.front().front(); }
};

// How many values the metrics of a program have in all.
std::size_t metric_value_count(const Program& program);
// Gives the accumulators at the start of a workspace their initial values.
void start_metrics(const Program& program, Bytes& workspace);
// What the accumulators amount to.
MetricValues read_metrics(const Model& model, Bytes& workspace);

class Session {
 public:
  // Kernels are shared among `threads` threads where that is useful (0: as many as there are cores). No result depends
  // on it.
  Session(std::shared_ptr<Model> model, std::uint64_t seed, int threads = 0);

  const Program& program() const { return model_->program(); }
  const Model& model() const { return *model_; }
  std::uint64_t seed() const;
  // Threads for calls of native code on behalf of this session; null where there is one only.
  ThreadPool* pool() const { return pool_.get(); }
  int threads() const { return pool_ == nullptr ? 1 : pool_->threads(); }
  // Of a workspace for calls that use the pool; never 0, so that it has an address.
  std::size_t workspace_bytes() const;

  // Draws the initial weights again, from `seed`; slots and counters start anew, and vocabularies are open.
  void initialize(std::uint64_t seed);

  // One epoch over the rows in `order` (null: as they stand), from its beginning or where it was interrupted. The
  // metrics are those of the epoch, taken before each step. Closes the vocabularies: the weights are about their
  // classes.
  Outcome train(const Rows& rows, const std::uint32_t* order, MetricValues& metrics,
                const EpochPosition* from = nullptr);
  // What the metrics of the last call that trained or evaluated have gathered.
  Bytes accumulators() const;
  // The pass over the training rows that fits states declared with `adapt`, from their initial values; nothing where
  // the program has none.
  Outcome adapt(const Rows& rows);
  Outcome evaluate(const Rows& rows, MetricValues& metrics);
  // Fills one array an output of the program, [count, shape…].
  Outcome predict(const Rows& rows, std::vector<Array>& outputs);

  // Stops the call that is running, or the next, before its next batch. Safe from any thread and from a signal handler.
  void stop();
  void clear_stop();
  // Batches done in the call that is running, of an epoch with those that were done before it was interrupted; after
  // Outcome::not_finite the number of the batch at fault, from 0.
  std::uint64_t batches_done() const;
  // For code made with CodegenOptions::count_ticks: one number a kernel, which calls add to.
  void count_ticks(std::uint64_t* kernel_ticks) { control_.kernel_ticks = kernel_ticks; }

  // A tensor of the state by name, as the plain array; TARN_CHECKs the name.
  Array tensor(std::string_view name) const;
  // The array must have the tensor's shape; it is converted to its dtype.
  void set_tensor(std::string_view name, const Array& values);
  // A counter or hyper-parameter.
  double scalar(std::string_view name) const;
  void set_scalar(std::string_view name, double value);

  // What the weights know of labels. Whoever lets data learn, or sets weights that come from elsewhere, sets it.
  const Vocabularies& vocabularies() const { return vocabularies_; }
  void set_vocabularies(Vocabularies vocabularies) { vocabularies_ = std::move(vocabularies); }

  // The raw state; for copies of all of it (restore_best).
  const Bytes& state() const { return state_; }
  void set_state(const Bytes& state);

 private:
  void begin_call(std::uint64_t batches_done = 0);

  std::shared_ptr<Model> model_;
  std::unique_ptr<ThreadPool> pool_;
  Bytes state_, workspace_;
  Vocabularies vocabularies_;
  std::vector<NamedArray> unfitted_;  // the states with `adapt` as they are initially
  Control control_;
};

}  // namespace tarn
