// What stands behind the handles of the C API (tarn/c.h): models, sessions, and the way errors leave the library.
//
// Contract: everything here may be called by wrong users. Arguments are checked before anything is changed, and what is
// wrong is an Answer, never a check that aborts. Exceptions (memory that runs out) end at `guarded`.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/include/tarn/c.h"
#include "runtime/session/served_weights.h"
#include "runtime/session/session.h"
#include "runtime/session/weights.h"
#include "runtime/training/checkpoint.h"
#include "runtime/training/training.h"

namespace tarn {

// How a call ended: TARN_OK, or a code with the diagnostics that say why.
struct Answer {
  tarn_status code = TARN_OK;
  Diagnostics diagnostics;

  Answer() = default;
  Answer(tarn_status failure, Diagnostics reasons) : code(failure), diagnostics(std::move(reasons)) {}
  bool failed() const { return code != TARN_OK; }
};
Answer invalid(std::string message);
Answer is_null(const std::string& what);
// `code`, or TARN_SYSTEM where the machine is to blame.
Answer failure(tarn_status code, Diagnostics diagnostics);
// Of a call that was told to stop.
Answer stopped();
inline Answer answer_of(tarn_status code, Status status) {
  return status ? Answer() : failure(code, std::move(status).error());
}

// Makes the answer the last error of this thread, if it is one.
tarn_status finish(const Answer& answer, const Sources& sources);
tarn_status null_argument(const std::string& what);
tarn_status finish_out_of_memory();
tarn_status finish_bug(const char* what);

// Runs what a function of the C API does. Nothing is thrown into C.
template <class Function>
tarn_status guarded(const Function& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return finish_out_of_memory();
  } catch (const std::length_error&) {
    return finish_out_of_memory();
  } catch (const std::exception& exception) {
    return finish_bug(exception.what());
  } catch (...) {
    // Out of a callback, which had better not throw.
    return finish_bug("an exception of unknown type");
  }
}

// The caller's structure of options, which begins with its size, in one of ours; zeros where it ends earlier.
template <class Options>
Answer read_options(const Options* given, Options& options) {
  options = Options();
  if (given == nullptr) return {};
  if (given->size < sizeof(std::size_t) || given->size > sizeof(Options))
    return invalid("the field `size` of the options must be the size of their structure");
  const auto* bytes = reinterpret_cast<const std::byte*>(given);
  std::copy(bytes, bytes + given->size, reinterpret_cast<std::byte*>(&options));
  return {};
}

struct LibraryModel {
  Sources sources;
  std::shared_ptr<Model> model;
  std::vector<std::string> settings;  // keys that were set
  tarn_log_function log_function = nullptr;
  void* log_context = nullptr;
  std::array<std::vector<tarn_info>, TARN_METRIC + 1> tables;

  const Program& program() const { return model->program(); }
  void log(tarn_severity severity, const std::string& message) const {
    if (log_function != nullptr) log_function(log_context, severity, message.c_str());
  }
};

// The arrays of a call, checked against the program.
struct Arguments {
  Rows rows;
  std::vector<Bytes> dense;  // of views with gaps
};
// `training`: every input, target and sample weight is wanted; otherwise the inputs alone.
Answer read_arguments(const Program& program, const tarn_array* arrays, std::size_t count, bool training,
                      Arguments& arguments);
// The elements of a view, row-major and dense; they must have the shape.
Answer read_tensor(const tarn_view& view, const TensorInfo& tensor, Array& array);
// Whether the tensor may hold what stands in the array.
Answer check_tensor(const Array& array, const TensorInfo& tensor);
// Pointers for all outputs of the program; `scratch` is for those that nobody wants.
Answer read_outputs(const Program& program, const tarn_output* outputs, std::size_t count, std::uint64_t rows,
                    std::vector<void*>& pointers, std::vector<Bytes>& scratch);
// Whether what a prediction reads and what it writes lie apart from each other.
Answer check_apart(const Program& program, const Rows& rows, const std::vector<void*>& outputs);
// Memory of the caller's that must take `bytes` bytes of the type.
Answer check_memory(const void* memory, std::uint64_t available, std::uint64_t bytes, DType dtype,
                    const std::string& what);
inline tarn_dtype dtype_of(DType dtype) { return static_cast<tarn_dtype>(dtype); }

class LibrarySession {
 public:
  LibrarySession(std::shared_ptr<const LibraryModel> model, std::uint64_t seed, int threads);

  const LibraryModel& model() const { return *model_; }
  const Program& program() const { return model_->program(); }

  Answer fit(const tarn_array* arrays, std::size_t count, const tarn_fit_options& options, tarn_fit_result& result);
  Answer train_on_batch(const tarn_array* arrays, std::size_t count, double* values, std::size_t value_count);
  Answer evaluate(const tarn_array* arrays, std::size_t count, double* values, std::size_t value_count);
  Answer predict(const tarn_array* inputs, std::size_t input_count, const tarn_output* outputs,
                 std::size_t output_count);

  Answer read(const std::string& name, tarn_dtype dtype, void* values, std::size_t bytes);
  Answer write(const std::string& name, const tarn_view& values);
  Answer classes(const std::string& input, char* names, std::size_t& bytes, std::size_t& count);
  Answer initialize(std::uint64_t seed);
  // Of a session that nothing was done with.
  Answer check_initial() const;
  Answer save(const std::string& path);
  Answer load(const std::string& path);
  Answer checkpoint(const std::string& path);
  Answer resume(const std::string& path);
  void stop();
  tarn_progress progress() const;

  ServedWeights& served() { return served_; }
  PredictFunction predict_function();

 private:
  // A turn on the working state. Training refuses all others; short calls wait for each other.
  enum class Use : std::uint8_t { none, brief, training };
  class Turn;
  struct TrainingData;

  void log_remarks(const Dataset& data) const;
  bool is_adapted(const std::string& name) const;
  Status check_constants(const WeightsFile& weights) const;
  void set_hyper_parameters(const std::vector<ChangedHyperParameter>& changed);
  Answer check_metrics(const double* values, std::size_t value_count) const;
  Answer read_training_data(const tarn_array* arrays, std::size_t count, const tarn_fit_options& options,
                            TrainingData& data);
  Answer run_epochs(const TrainingData& data, const tarn_fit_options& options, Turn& turn, tarn_fit_result& result);
  bool after_epoch(const EpochReport& report, const tarn_fit_options& options, Turn& turn);
  // Of one step on the batch.
  Answer not_finite(Outcome outcome, const Rows& batch) const;

  const std::shared_ptr<const LibraryModel> model_;
  Session session_;
  ServedWeights served_;
  TrainingMemory memory_;  // of the run that goes on or was the last
  bool goes_on_ = false;   // a checkpoint was read, and no fit since
  bool adapts_ = true;     // states with an `adapt` block are the initial ones: nobody loaded or wrote others
  std::atomic<PredictFunction> predict_{nullptr};

  std::mutex mutex_;
  std::condition_variable free_;
  Use use_ = Use::none;
  bool is_lent_ = false;  // between two epochs of a call that trains

  std::atomic<std::int64_t> epoch_{0}, epochs_{0};
  std::atomic<std::uint64_t> batches_{0};
};

}  // namespace tarn

struct tarn_model {
  std::shared_ptr<const tarn::LibraryModel> shared;
};
struct tarn_session {
  std::shared_ptr<tarn::LibrarySession> shared;
};
struct tarn_predictor {
  std::shared_ptr<tarn::LibrarySession> shared;
  tarn::PredictFunction predict = nullptr;
  tarn::Reader* reader = nullptr;
  // Of the inputs, then the outputs: what their addresses must be multiples of, less one.
  std::vector<std::uintptr_t> masks;
  std::size_t inputs = 0, outputs = 0;
};
