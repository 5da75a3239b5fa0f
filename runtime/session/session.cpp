// State memory and calls of native code. See session.h.
#include "runtime/session/session.h"

#include <algorithm>
#include <cstring>

#include "codegen/program/workspace.h"
#include "runtime/files/array_values.h"

namespace tarn {

void start_metrics(const Program& program, Bytes& workspace) {
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind != TensorKind::metric) continue;
    if (tensor.initial == 0) {
      // Zeros of all types are bytes of 0. Small models begin an epoch every few microseconds.
      std::memset(workspace.data() + tensor.offset, 0, sample_bytes(tensor.type));
      continue;
    }
    const Array start = Array::from_doubles(
        array_type_of(tensor.type.dtype), tensor.type.shape,
        std::vector<double>(static_cast<std::size_t>(element_count(tensor.type.shape)), tensor.initial));
    std::memcpy(workspace.data() + tensor.offset, start.data.data(), start.data.size());
  }
}

std::size_t metric_value_count(const Program& program) {
  std::size_t count = 0;
  for (const MetricInfo& metric : program.metrics) count += static_cast<std::size_t>(element_count(metric.shape));
  return count;
}

MetricValues read_metrics(const Model& model, Bytes& workspace) {
  const Program& program = model.program();
  std::vector<double> flat(metric_value_count(program));
  model.native().report()(workspace.data(), flat.data());
  MetricValues metrics;
  std::size_t at = 0;
  for (const MetricInfo& metric : program.metrics) {
    const auto size = static_cast<std::size_t>(element_count(metric.shape));
    metrics.values.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(at),
                                flat.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
  }
  return metrics;
}

Session::Session(std::shared_ptr<Model> model, std::uint64_t seed, int threads) : model_(std::move(model)) {
  if (const int useful = useful_threads(model_->plan(), threads); useful > 1) {
    pool_ = std::make_unique<ThreadPool>(useful);
  }
  state_.resize(state_bytes(program()));
  workspace_.resize(workspace_bytes());
  initialize(seed);
}

std::size_t Session::workspace_bytes() const {
  return std::max<std::size_t>(model_->native().workspace_bytes(threads()), kAlignment);
}

std::uint64_t Session::seed() const {
  StateHeader header;
  std::memcpy(&header, state_.data(), sizeof(header));
  return header.seed;
}

void Session::initialize(std::uint64_t seed) {
  std::fill(state_.begin(), state_.end(), std::byte{0});
  StateHeader header;
  header.layout = layout_hash(program());
  header.seed = seed;
  std::memcpy(state_.data(), &header, sizeof(header));
  if (InitFunction init = model_->native().init()) init(state_.data(), workspace_.data());
  vocabularies_ = {};
  unfitted_.clear();
  const auto adapt = program().graphs.find("adapt");
  if (adapt == program().graphs.end()) return;
  for (const GraphResult& fitted : adapt->second.results()) unfitted_.push_back({fitted.name, tensor(fitted.name)});
}

// Other threads may be looking at the progress.
void Session::begin_call(std::uint64_t batches_done) {
  std::atomic_ref(control_.batches_done).store(batches_done, std::memory_order_relaxed);
  control_.first_sample = 0;
}

Outcome Session::train(const Rows& rows, const std::uint32_t* order, MetricValues& metrics, const EpochPosition* from) {
  vocabularies_.close();
  Rows left = rows;
  if (from == nullptr) {
    start_metrics(program(), workspace_);
    begin_call();
  } else {
    TARN_CHECK(from->accumulators.size() == metric_bytes(program()), "accumulators of another model");
    std::ranges::copy(from->accumulators, workspace_.begin());
    const std::uint64_t done = std::min(from->batches * from->plan.batch, rows.count);
    if (order == nullptr) {
      left = rows.slice(program(), done, rows.count);
    } else {
      order += done;
      left.count -= done;
    }
    begin_call(from->batches);
  }
  const PoolLease lease(pool_.get(), control_);
  const auto outcome = static_cast<Outcome>(
      model_->native().train()(state_.data(), workspace_.data(), left.arrays.data(), order, left.count, &control_));
  if (outcome == Outcome::done) metrics = read_metrics(*model_, workspace_);
  return outcome;
}

Bytes Session::accumulators() const { return copy_of(ByteView(workspace_).first(metric_bytes(program()))); }

Outcome Session::adapt(const Rows& rows) {
  AdaptFunction adapt = model_->native().adapt();
  if (adapt == nullptr) return Outcome::done;
  for (const NamedArray& state : unfitted_) set_tensor(state.name, state.array);
  begin_call();
  const PoolLease lease(pool_.get(), control_);
  return static_cast<Outcome>(
      adapt(state_.data(), workspace_.data(), rows.arrays.data(), nullptr, rows.count, &control_));
}

Outcome Session::evaluate(const Rows& rows, MetricValues& metrics) {
  start_metrics(program(), workspace_);
  begin_call();
  const PoolLease lease(pool_.get(), control_);
  const auto outcome = static_cast<Outcome>(model_->native().evaluate()(
      state_.data(), workspace_.data(), rows.arrays.data(), nullptr, rows.count, &control_));
  if (outcome == Outcome::done) metrics = read_metrics(*model_, workspace_);
  return outcome;
}

Outcome Session::predict(const Rows& rows, std::vector<Array>& outputs) {
  outputs.clear();
  std::vector<void*> pointers;
  for (const OutputInfo& output : program().outputs) {
    Shape shape = output.type.shape;
    shape.insert(shape.begin(), static_cast<std::int64_t>(rows.count));
    outputs.push_back(Array::unset(array_type_of(output.type.dtype), std::move(shape)));
  }
  for (Array& output : outputs) pointers.push_back(output.data.data());
  begin_call();
  const PoolLease lease(pool_.get(), control_);
  return static_cast<Outcome>(model_->native().predict()(state_.data(), workspace_.data(), rows.arrays.data(),
                                                         pointers.data(), rows.count, &control_));
}

void Session::stop() { std::atomic_ref(control_.stop).store(1, std::memory_order_relaxed); }

void Session::clear_stop() { std::atomic_ref(control_.stop).store(0, std::memory_order_relaxed); }

std::uint64_t Session::batches_done() const {
  return std::atomic_ref(const_cast<std::uint64_t&>(control_.batches_done)).load(std::memory_order_relaxed);
}

Array Session::tensor(std::string_view name) const {
  const TensorInfo* info = program().find_tensor(name);
  TARN_CHECK(info != nullptr && info->kind != TensorKind::metric, "no tensor '" + std::string(name) + "' in the state");
  Array array = Array::unset(array_type_of(info->type.dtype), info->type.shape);
  std::memcpy(array.data.data(), state_.data() + info->offset, array.data.size());
  return array;
}

void Session::set_tensor(std::string_view name, const Array& values) {
  const TensorInfo* info = program().find_tensor(name);
  TARN_CHECK(info != nullptr && info->kind != TensorKind::metric, "no tensor '" + std::string(name) + "' in the state");
  TARN_CHECK(values.shape == info->type.shape, "wrong shape for '" + std::string(name) + "'");
  const Array converted = values.converted(array_type_of(info->type.dtype));
  std::memcpy(state_.data() + info->offset, converted.data.data(), converted.data.size());
}

double Session::scalar(std::string_view name) const { return tensor(name).at(0); }

void Session::set_scalar(std::string_view name, double value) {
  set_tensor(name, Array::from_doubles(ArrayType::f64, {}, std::span(&value, 1)));
}

void Session::set_state(const Bytes& state) {
  TARN_CHECK(state.size() == state_.size(), "a state of another size");
  state_ = state;
}

}  // namespace tarn
