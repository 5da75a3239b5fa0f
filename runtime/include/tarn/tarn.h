// Tarn in a C++ program: compile a model file in memory, train it on arrays, predict with it. A complete program:
//
//   #include <tarn/tarn.h>
//
//   #include <iostream>
//   #include <vector>
//
//   int main() {
//     // Two inputs, one of eight hidden units that notices when they differ.
//     const tarn::Model model = tarn::compile(R"(
//       model different {
//         input  x[2]
//         output y = x |> dense(8, tanh) |> dense(1, sigmoid)
//       }
//       train {
//         target t[1]
//         loss      binary_crossentropy(y, t)
//         optimizer adam(lr = 0.05)
//         batch     4
//       }
//     )");
//     const std::vector<float> x = {0, 0, 0, 1, 1, 0, 1, 1}, t = {0, 1, 1, 0};
//     tarn::Session session(model, {.seed = 7});
//     const tarn::History history = session.fit({{"x", x}, {"t", t}}, {.epochs = 500});
//     std::cout << "loss " << history.last().loss() << '\n';
//     const tarn::Tensor y = session.predict({{"x", x}})["y"];
//     for (const float probability : y.values<float>()) std::cout << probability << '\n';
//   }
//
// It is built with `c++ -std=c++20 program.cpp $(pkg-config --cflags --libs tarn)`, or in CMake with
// `find_package(Tarn)` and the target `Tarn::tarn`.
//
// It is long because it is read as much as included: each class stands beside the options and results of its calls.
//
// All of this header is a thin layer over the C API, tarn/c.h: the library exports nothing else, so programs need not
// be built with the compiler and the standard library that built it. What tarn/c.h says about threads holds here, too.
// Failures are exceptions derived from tarn::Error; after one, the session is as it was before the call (but for the
// steps of fit() before one that was not finite).
#pragma once

#include <tarn/array.h>
#include <tarn/c.h>
#include <tarn/error.h>
#include <tarn/model.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tarn {
inline namespace v0 {

// ---- Training ----

// The values of loss and metrics.
class Metrics {
 public:
  struct Row {
    std::string name;
    std::size_t first, count;
  };
  Metrics() = default;
  Metrics(std::shared_ptr<const std::vector<Row>> rows, std::vector<double> values)
      : rows_(std::move(rows)), values_(std::move(values)) {}

  double loss() const { return values_.empty() ? 0 : values_.front(); }
  // A metric that is one number.
  double operator[](std::string_view name) const {
    const Row& row = find(name);
    if (row.count != 1) detail::throw_argument_error("'" + std::string(name) + "' has several values");
    return values_[row.first];
  }
  std::span<const double> values(std::string_view name) const {
    const Row& row = find(name);
    return std::span(values_).subspan(row.first, row.count);
  }

 private:
  const Row& find(std::string_view name) const {
    for (std::size_t i = 0; rows_ && i < rows_->size(); ++i) {
      if ((*rows_)[i].name == name) return (*rows_)[i];
    }
    detail::throw_argument_error("there is no metric '" + std::string(name) + "'");
  }

  std::shared_ptr<const std::vector<Row>> rows_;
  std::vector<double> values_;
};

struct Epoch {
  std::int64_t epoch = 0, epochs = 0;  // this one, from 1; the last one that is planned
  double seconds = 0;
  Metrics training;
  std::optional<Metrics> validation;

  double loss() const { return training.loss(); }
};

struct FitOptions {
  std::int64_t epochs = 0;       // so many more; 0: as many as the file says, or until_epoch
  std::int64_t until_epoch = 0;  // until the session has done so many in all, as after resume()
  bool keep_order = false;       // otherwise rows are shuffled, unless the file says not to
  Arguments validation = {};     // none: the file's validation_split, cut off the end
  // After each epoch; false ends training. Exceptions end it, too, and come out of fit(). May use the session.
  std::function<bool(const Epoch&)> on_epoch = {};
};

struct History {
  enum class End { completed, stopped_early, by_callback, by_stop };
  End end = End::completed;
  std::uint64_t steps = 0;
  double seconds = 0;
  std::vector<Epoch> epochs;

  const Epoch& last() const {
    if (epochs.empty()) detail::throw_argument_error("no epoch was completed");
    return epochs.back();
  }
};

// Outputs by name.
class Outputs {
 public:
  explicit Outputs(std::vector<std::pair<std::string, Tensor>> tensors) : tensors_(std::move(tensors)) {}
  const Tensor& operator[](std::string_view name) const& { return tensors_[find(name)].second; }
  Tensor operator[](std::string_view name) && { return std::move(tensors_[find(name)].second); }
  const std::vector<std::pair<std::string, Tensor>>& all() const { return tensors_; }

 private:
  std::size_t find(std::string_view name) const {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].first == name) return i;
    }
    detail::throw_argument_error("the model has no output '" + std::string(name) + "'");
  }
  std::vector<std::pair<std::string, Tensor>> tensors_;
};

// The fast path of prediction: nothing is allocated, locked or looked up. One a thread is best.
class Predictor {
 public:
  Predictor(const Model& model, tarn_session* session) {
    tarn_predictor* handle = nullptr;
    detail::check(tarn_predictor_create(session, &handle));
    handle_.reset(handle);
    inputs_ = tarn_model_count(model.c_model(), TARN_INPUT);
    outputs_ = tarn_model_count(model.c_model(), TARN_OUTPUT);
    if (inputs_ == 1) input_ = static_cast<DType>(model.info(TARN_INPUT, 0).dtype);
    if (outputs_ == 1) output_ = static_cast<DType>(model.info(TARN_OUTPUT, 0).dtype);
  }

  // A model with one input and one output: dense samples, aligned to their types.
  template <class In, class Out>
  void operator()(const In* x, Out* y, std::size_t samples) const {
    if (inputs_ != 1 || outputs_ != 1 || dtype_of<In>() != input_ || dtype_of<Out>() != output_)
      detail::throw_argument_error("the model has several inputs or outputs, or they are of other types");
    const void* const inputs[] = {x};
    void* const outputs[] = {y};
    detail::check(tarn_predictor_run(handle_.get(), inputs, outputs, samples));
  }
  // One array an input and output, in the order and with the types of the model.
  void operator()(std::span<const void* const> inputs, std::span<void* const> outputs, std::size_t samples) const {
    if (inputs.size() != inputs_ || outputs.size() != outputs_)
      detail::throw_argument_error("the model has another number of inputs or outputs");
    detail::check(tarn_predictor_run(handle_.get(), inputs.data(), outputs.data(), samples));
  }

 private:
  struct Free {
    void operator()(tarn_predictor* predictor) const { tarn_predictor_free(predictor); }
  };
  std::unique_ptr<tarn_predictor, Free> handle_;
  std::size_t inputs_ = 0, outputs_ = 0;
  DType input_ = DType::f32, output_ = DType::f32;
};

// ---- Sessions ----

struct SessionOptions {
  std::optional<std::uint64_t> seed = {};  // none: that of the file's train block
  int threads = 0;                         // 0: as many as are useful; results do not depend on it
};

// The weights of a model, and all that training remembers.
class Session {
 public:
  explicit Session(Model model, const SessionOptions& options = {}) : model_(std::move(model)) {
    tarn_session_options chosen = {};
    chosen.size = sizeof(chosen);
    chosen.has_seed = options.seed ? 1 : 0;
    chosen.seed = options.seed.value_or(0);
    chosen.threads = options.threads;
    tarn_session* handle = nullptr;
    detail::check(tarn_session_create(model_.c_model(), &chosen, &handle));
    handle_.reset(handle);
    auto rows = std::make_shared<std::vector<Metrics::Row>>();
    for (std::size_t i = 0; i < tarn_model_count(model_.c_model(), TARN_METRIC); ++i) {
      const tarn_info info = model_.info(TARN_METRIC, i);
      rows->push_back({info.name, metric_values_, info.elements});
      metric_values_ += info.elements;
    }
    metric_rows_ = std::move(rows);
  }

  const Model& model() const { return model_; }
  tarn_session* c_session() const { return handle_.get(); }

  // Trains on arrays for all inputs, targets and sample weights.
  History fit(const Arguments& arguments, const FitOptions& options = {}) { return run_fit(&arguments, options); }
  // Trains on the `data` of the model file.
  History fit_file_data(const FitOptions& options = {}) { return run_fit(nullptr, options); }

  // One step of the optimizer on 1 to `batch` samples; the metrics are those before it.
  Metrics train_on_batch(const Arguments& arguments) {
    const std::vector<tarn_array> arrays = c_arrays(arguments);
    std::vector<double> values(metric_values_);
    detail::check(
        tarn_session_train_on_batch(handle_.get(), arrays.data(), arrays.size(), values.data(), values.size()));
    return Metrics(metric_rows_, std::move(values));
  }

  Metrics evaluate(const Arguments& arguments) const {
    const std::vector<tarn_array> arrays = c_arrays(arguments);
    return run_evaluate(some(arrays), arrays.size());
  }
  // On the `data test` or the `data` of the model file.
  Metrics evaluate_file_data() const { return run_evaluate(nullptr, 0); }

  Outputs predict(const Arguments& arguments) const {
    const std::vector<tarn_array> arrays = c_arrays(arguments);
    std::vector<std::pair<std::string, Tensor>> tensors;
    std::vector<tarn_output> outputs;
    const std::int64_t samples = samples_of(arguments);
    const std::size_t count = tarn_model_count(model_.c_model(), TARN_OUTPUT);
    for (std::size_t i = 0; i < count; ++i) {
      const tarn_info info = model_.info(TARN_OUTPUT, i);
      std::vector<std::int64_t> shape = {samples};
      shape.insert(shape.end(), info.shape, info.shape + info.rank);
      tensors.emplace_back(info.name, Tensor(static_cast<DType>(info.dtype), std::move(shape)));
    }
    for (auto& [name, tensor] : tensors)
      outputs.push_back({name.c_str(), tensor.data(), tensor.bytes(), static_cast<tarn_dtype>(tensor.dtype())});
    detail::check(tarn_session_predict(handle_.get(), arrays.data(), arrays.size(), outputs.data(), outputs.size()));
    return Outputs(std::move(tensors));
  }
  // Into the caller's memory; outputs that are not named are not wanted.
  void predict(const Arguments& arguments, const std::vector<Destination>& destinations) const {
    const std::vector<tarn_array> arrays = c_arrays(arguments);
    std::vector<tarn_output> outputs;
    for (const Destination& to : destinations)
      outputs.push_back({to.name.c_str(), to.data, to.bytes, static_cast<tarn_dtype>(to.dtype)});
    detail::check(tarn_session_predict(handle_.get(), arrays.data(), arrays.size(), outputs.data(), outputs.size()));
  }
  // Lives on when the session does not.
  Predictor predictor() const { return Predictor(model_, handle_.get()); }

  // A tensor of the session by name, to be read or set:
  //   session.weight("dense_1.kernel") = {{1, 2}, {3, 4}};
  //   session.weight("optimizer.lr") = 0.01;
  //   tarn::Tensor kernel = session.weight("dense_1.kernel");
  //   double steps = session.weight("step").tensor()[0];
  class Weight {
   public:
    Weight(const Weight&) = delete;
    Weight& operator=(const Weight& other) { return *this = View(other.tensor()); }
    Weight& operator=(const Values& values) {
      std::vector<std::int64_t> shape;
      std::vector<double> numbers = values.flat(shape);
      if (values.is_number()) {
        const Tensor old = *this;
        shape = old.shape();
        numbers.assign(old.size(), numbers.front());
      }
      return *this = View(numbers.data(), DType::f64, shape);
    }
    Weight& operator=(const View& view) {
      const tarn_view values = view.c_view();
      detail::check(tarn_session_write(session_.handle_.get(), name_.c_str(), &values));
      return *this;
    }
    Tensor tensor() const { return session_.read(name_); }
    operator Tensor() const { return tensor(); }

   private:
    friend class Session;
    Weight(Session& session, std::string name) : session_(session), name_(std::move(name)) {}
    Session& session_;
    std::string name_;
  };
  Weight weight(const std::string& name) { return Weight(*this, name); }
  Tensor weight(const std::string& name) const { return read(name); }
  // Parameters and states of layers.
  std::map<std::string, Tensor> weights() const {
    std::map<std::string, Tensor> tensors;
    for (const std::int32_t kind : {TARN_PARAMETER, TARN_STATE}) {
      for (const Info& info : model_.table(kind)) tensors.emplace(info.name, read(info.name));
    }
    return tensors;
  }

  // The names of the classes of an input or target whose data are labels, or of those that an output tells apart (with
  // "class 2" for one without a label), in the order of their numbers; none before such data, or weights that were
  // trained on them, were read, and where labels are the numbers of their classes.
  std::vector<std::string> classes(const std::string& input) const {
    std::size_t bytes = 0, count = 0;
    detail::check(tarn_session_classes(handle_.get(), input.c_str(), nullptr, &bytes, &count));
    std::string names(bytes, '\0');
    detail::check(tarn_session_classes(handle_.get(), input.c_str(), names.data(), &bytes, &count));
    std::vector<std::string> classes;
    for (const char* at = names.data(); classes.size() < count; at += classes.back().size() + 1)
      classes.emplace_back(at);
    return classes;
  }

  // Draws the initial weights again; slots and counters start anew.
  void initialize(std::uint64_t seed) { detail::check(tarn_session_initialize(handle_.get(), seed)); }

  // Weights: safetensors, or npz where the path ends in ".npz". Other threads may predict while they are loaded. States
  // with an `adapt` block that were loaded or written are not fitted again.
  void save(const std::string& path) const { detail::check(tarn_session_save(handle_.get(), path.c_str())); }
  void load(const std::string& path) { detail::check(tarn_session_load(handle_.get(), path.c_str())); }
  // All that training needs to go on with the bits of a run that was not interrupted.
  void checkpoint(const std::string& path) const {
    detail::check(tarn_session_checkpoint(handle_.get(), path.c_str()));
  }
  void resume(const std::string& path) { detail::check(tarn_session_resume(handle_.get(), path.c_str())); }

  // Ends the calls that run on this session before their next batch, from any thread; fit() returns with End::by_stop,
  // others throw StoppedError. When no training runs, the next one ends at once. The next fit() over as many rows goes
  // on in the middle of the epoch, with the bits of training that was not stopped.
  void stop() { detail::check(tarn_session_stop(handle_.get())); }
  // How far training is; from any thread.
  tarn_progress progress() const {
    tarn_progress progress;
    detail::check(tarn_session_progress(handle_.get(), &progress));
    return progress;
  }

 private:
  struct Free {
    void operator()(tarn_session* session) const { tarn_session_free(session); }
  };
  struct FitContext {
    const Session* session;
    const FitOptions* options;
    History history;
    std::exception_ptr exception;
  };

  static std::vector<tarn_array> c_arrays(const Arguments& arguments) {
    std::vector<tarn_array> arrays;
    arrays.reserve(arguments.size());
    for (const Argument& argument : arguments) arrays.push_back({argument.name.c_str(), argument.view.c_view()});
    return arrays;
  }

  // Not null where there are none: that would mean the data of the file.
  static const tarn_array* some(const std::vector<tarn_array>& arrays) {
    static constexpr tarn_array kNone = {};
    return arrays.empty() ? &kNone : arrays.data();
  }

  static int on_epoch(void* context, const tarn_epoch* epoch) {
    auto& fit = *static_cast<FitContext*>(context);
    try {
      const auto metrics = [&](const double* values) {
        return Metrics(fit.session->metric_rows_, std::vector<double>(values, values + epoch->value_count));
      };
      Epoch report{epoch->epoch, epoch->epochs, epoch->seconds, metrics(epoch->values), std::nullopt};
      if (epoch->validation != nullptr) report.validation = metrics(epoch->validation);
      fit.history.epochs.push_back(std::move(report));
      return !fit.options->on_epoch || fit.options->on_epoch(fit.history.epochs.back()) ? 1 : 0;
    } catch (...) {
      fit.exception = std::current_exception();
      return 0;
    }
  }

  // Null arguments: the data of the file.
  History run_fit(const Arguments* arguments, const FitOptions& options) {
    const std::vector<tarn_array> arrays = arguments == nullptr ? std::vector<tarn_array>() : c_arrays(*arguments);
    const std::vector<tarn_array> validation = c_arrays(options.validation);
    FitContext context{this, &options, {}, nullptr};
    tarn_fit_options chosen = {};
    chosen.size = sizeof(chosen);
    chosen.epochs = options.epochs;
    chosen.until_epoch = options.until_epoch;
    chosen.keep_order = options.keep_order ? 1 : 0;
    chosen.validation = validation.data();
    chosen.validation_count = validation.size();
    chosen.on_epoch = on_epoch;
    chosen.context = &context;
    tarn_fit_result result = {};
    const tarn_status status =
        tarn_session_fit(handle_.get(), arguments == nullptr ? nullptr : some(arrays), arrays.size(), &chosen, &result);
    if (context.exception) std::rethrow_exception(context.exception);
    detail::check(status);
    context.history.end = static_cast<History::End>(result.end);
    context.history.steps = result.steps;
    context.history.seconds = result.seconds;
    return std::move(context.history);
  }

  Metrics run_evaluate(const tarn_array* arrays, std::size_t count) const {
    std::vector<double> values(metric_values_);
    detail::check(tarn_session_evaluate(handle_.get(), arrays, count, values.data(), values.size()));
    return Metrics(metric_rows_, std::move(values));
  }

  // More than there can be in memory; the library says so.
  static constexpr std::int64_t kMostSamples = std::int64_t{1} << 48;

  // As the library will count them; what is wrong with the arrays, it says then.
  std::int64_t samples_of(const Arguments& arguments) const {
    for (std::size_t i = 0; i < tarn_model_count(model_.c_model(), TARN_INPUT); ++i) {
      const tarn_info info = model_.info(TARN_INPUT, i);
      for (const Argument& argument : arguments) {
        const tarn_view view = argument.view.c_view();
        if (argument.name != info.name || view.rank == 0 || view.shape[0] < 0) continue;
        if (view.shape[0] > kMostSamples) break;
        const bool is_flat = view.rank == 1 && info.rank != 0 && info.elements != 0;
        return is_flat ? view.shape[0] / static_cast<std::int64_t>(info.elements) : view.shape[0];
      }
    }
    return 0;
  }

  Tensor read(const std::string& name) const {
    for (const std::int32_t kind : {TARN_PARAMETER, TARN_STATE, TARN_SLOT, TARN_HYPER, TARN_COUNTER}) {
      for (std::size_t i = 0; i < tarn_model_count(model_.c_model(), kind); ++i) {
        const tarn_info info = model_.info(kind, i);
        if (info.name != name) continue;
        Tensor tensor(static_cast<DType>(info.dtype), {info.shape, info.shape + info.rank});
        detail::check(tarn_session_read(handle_.get(), info.name, info.dtype, tensor.data(), tensor.bytes()));
        return tensor;
      }
    }
    detail::throw_argument_error("the model has no tensor '" + name + "'");
  }

  Model model_;
  std::unique_ptr<tarn_session, Free> handle_;
  std::shared_ptr<const std::vector<Metrics::Row>> metric_rows_;
  std::size_t metric_values_ = 0;
};

}  // namespace v0
}  // namespace tarn
