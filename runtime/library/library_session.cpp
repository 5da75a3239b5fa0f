// Sessions of the C API: predictions, and what reads and writes tensors. See library.h; library_training.cpp trains.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "codegen/program/workspace.h"
#include "ir/counted.h"
#include "runtime/data/output_classes.h"
#include "runtime/files/value_check.h"
#include "runtime/library/library.h"
#include "runtime/library/session_turn.h"

namespace tarn {

namespace {

// Bytes at the start of a state that predictions and evaluations look at.
std::size_t served_bytes(const Model& model) {
  std::uint64_t end = kStateHeaderBytes;
  for (const char* const name : {"predict", "evaluate"}) {
    const auto plan = model.plan().plans.find(name);
    if (plan == model.plan().plans.end()) continue;
    for (const Buffer& buffer : plan->second.buffers) {
      if (buffer.space != Space::state) continue;
      end = std::max(end, buffer.offset + sample_bytes({buffer.dtype, false, buffer.shape}));
    }
  }
  return static_cast<std::size_t>(aligned(end));
}

// The names of the classes of an input or target or, of an output, those that it tells apart; nothing where there is
// none of that name.
std::optional<std::vector<std::string>> names_of_classes(const Program& program, const std::string& name,
                                                         const Vocabularies& vocabularies) {
  if (program.find_input(name) != nullptr) return vocabularies.names(name);
  const auto output =
      std::ranges::find_if(program.outputs, [&](const OutputInfo& known) { return known.name == name; });
  if (output == program.outputs.end()) return std::nullopt;
  std::vector<std::string> names = class_names_of(program, *output, vocabularies);
  return names.empty() ? vocabularies.names(output->target) : names;
}

}  // namespace

LibrarySession::LibrarySession(std::shared_ptr<const LibraryModel> model, std::uint64_t seed, int threads)
    : model_(std::move(model)),
      session_(model_->model, seed, threads),
      served_([this] { return session_.state().data(); }, served_bytes(*model_->model), session_.workspace_bytes(),
              model_->model->plan().packed) {}

bool LibrarySession::is_adapted(const std::string& name) const {
  const auto adapt = program().graphs.find("adapt");
  if (adapt == program().graphs.end()) return false;
  const std::vector<GraphResult>& stored = adapt->second.results();
  return std::any_of(stored.begin(), stored.end(), [&](const GraphResult& r) { return r.name == name; });
}

PredictFunction LibrarySession::predict_function() {
  PredictFunction function = predict_.load(std::memory_order_acquire);
  if (function != nullptr) return function;
  NativeProgram& native = model_->model->native();
  function = model_->model->plan().packed.in_groups() ? native.predict_packed() : native.predict();
  predict_.store(function, std::memory_order_release);
  return function;
}

Answer LibrarySession::predict(const tarn_array* inputs, std::size_t input_count, const tarn_output* outputs,
                               std::size_t output_count) {
  Arguments arguments;
  Answer answer = read_arguments(program(), inputs, input_count, false, arguments);
  if (answer.failed()) return answer;
  std::vector<void*> pointers;
  std::vector<Bytes> scratch;
  answer = read_outputs(program(), outputs, output_count, arguments.rows.count, pointers, scratch);
  if (!answer.failed()) answer = check_apart(program(), arguments.rows, pointers);
  if (answer.failed()) return answer;
  const PredictFunction function = predict_function();
  ReaderLease lease(served_);
  Reader& reader = lease.reader();
  reader.control.first_sample = 0;
  const PoolLease pool(session_.pool(), reader.control);
  const auto outcome =
      static_cast<Outcome>(function(lease.weights(), reader.workspace.data(), arguments.rows.arrays.data(),
                                    pointers.data(), arguments.rows.count, &reader.control));
  return outcome == Outcome::stopped ? stopped() : Answer();
}

Answer LibrarySession::read(const std::string& name, tarn_dtype dtype, void* values, std::size_t bytes) {
  const TensorInfo* tensor = program().find_tensor(name);
  if (tensor == nullptr || tensor->kind == TensorKind::metric)
    return invalid(fmt::format("the model has no tensor '{}'", name));
  if (dtype != dtype_of(tensor->type.dtype))
    return invalid(fmt::format("'{}' is {}", name, name_of(tensor->type.dtype)));
  const std::uint64_t wanted = sample_bytes(tensor->type);
  Answer answer = check_memory(values, bytes, wanted, tensor->type.dtype, fmt::format("'{}'", name));
  if (answer.failed()) return answer;
  const Turn turn(*this, Use::brief, false);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  if (wanted > 0) std::memcpy(values, session_.state().data() + tensor->offset, wanted);
  return {};
}

Answer LibrarySession::write(const std::string& name, const tarn_view& values) {
  const TensorInfo* tensor = program().find_tensor(name);
  if (tensor == nullptr || tensor->kind == TensorKind::metric)
    return invalid(fmt::format("the model has no tensor '{}'", name));
  Array array;
  if (Answer answer = read_tensor(values, *tensor, array); answer.failed()) return answer;
  if (tensor->kind == TensorKind::counter && !is_count(array.at(0)))
    return invalid(fmt::format("'{}' counts from 0 to {}, and cannot be {}", name, kMostCounted, array.at(0)));
  if (Answer answer = check_tensor(array, *tensor); answer.failed()) return answer;
  const Turn turn(*this, Use::brief, true);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  session_.set_tensor(name, array);
  if (is_adapted(name)) adapts_ = false;
  // Another learning rate is for what is left of an interrupted epoch; with other weights it is another run.
  if (tensor->kind != TensorKind::hyper) memory_.position.reset();
  return {};
}

Answer LibrarySession::classes(const std::string& input, char* names, std::size_t& bytes, std::size_t& count) {
  std::optional<std::vector<std::string>> found;
  {
    const Turn turn(*this, Use::brief, false);
    if (Answer refused = turn.refusal(); refused.failed()) return refused;
    found = names_of_classes(program(), input, session_.vocabularies());
  }
  if (!found) return invalid(fmt::format("the model has no input '{}', and no target or output", input));
  std::string all;
  for (const std::string& name : *found) all.append(name.c_str(), name.size() + 1);
  if (names != nullptr && bytes < all.size())
    return invalid(
        fmt::format("the memory for the names of classes has {}; it needs {}", counted(bytes, "byte"), all.size()));
  if (names != nullptr) std::ranges::copy(all, names);
  bytes = all.size();
  count = found->size();
  return {};
}

Answer LibrarySession::initialize(std::uint64_t seed) {
  Turn turn(*this, Use::brief, true, /*restarts=*/true);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  const std::uint64_t seed_before = session_.seed();
  const Bytes state_before = session_.state();
  const Vocabularies vocabularies_before = session_.vocabularies();
  session_.initialize(seed);
  if (Answer answer = check_initial(); answer.failed()) {
    session_.initialize(seed_before);
    session_.set_state(state_before);
    session_.set_vocabularies(vocabularies_before);
    turn.nothing_changed();
    return answer;
  }
  memory_ = {};
  adapts_ = true;
  return {};
}

Answer LibrarySession::check_initial() const { return answer_of(TARN_NOT_FINITE, check_initial_values(session_)); }

Answer LibrarySession::save(const std::string& path) {
  const Turn turn(*this, Use::brief, false);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  return answer_of(TARN_DATA, write_weights(path, session_));
}

Answer LibrarySession::checkpoint(const std::string& path) {
  const Turn turn(*this, Use::brief, false);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  return answer_of(TARN_DATA, write_checkpoint(path, session_, memory_));
}

// Weights mean what they do with the constants that they were trained with; the model has its own by now.
Status LibrarySession::check_constants(const WeightsFile& weights) const {
  Diagnostics errors;
  for (const auto& [name, value] : weights.constants) {
    if (program().constants.contains(name)) continue;
    errors.push_back(
        error(fmt::format("'{}' was trained with {} = {}, and the model was compiled without that: "
                          "tarn::compile_file(…, {{.weights = \"{}\"}}) compiles with what it notes, in C the "
                          "field `weights` of tarn_compile_options",
                          weights.path, name, value, weights.path)));
  }
  if (errors.empty()) return Done{};
  return errors;
}

// What a setting says is set; what the file says otherwise than before is not, which is said.
void LibrarySession::set_hyper_parameters(const std::vector<ChangedHyperParameter>& changed) {
  for (const ChangedHyperParameter& one : changed) {
    const bool is_set =
        std::ranges::any_of(model_->settings, [&](const std::string& key) { return one.is_under(key); });
    if (is_set) {
      session_.set_scalar(one.name, one.in_file);
    } else {
      model_->log(TARN_NOTE, fmt::format("{} is {} as in the checkpoint, and {} in the file", one.name,
                                         one.in_checkpoint, one.in_file));
    }
  }
}

Answer LibrarySession::load(const std::string& path) {
  // Read before anybody has to wait.
  Result<WeightsFile> weights = read_weights(path);
  if (!weights) return failure(TARN_DATA, std::move(weights).error());
  {
    Turn turn(*this, Use::brief, true);
    if (Answer refused = turn.refusal(); refused.failed()) return refused;
    Status applied = check_constants(*weights);
    if (applied) applied = apply_weights(session_, *weights);
    if (!applied) {
      turn.nothing_changed();
      return failure(TARN_DATA, std::move(applied).error());
    }
    adapts_ = false;
    memory_.position.reset();
  }
  served_.publish();
  return {};
}

Answer LibrarySession::resume(const std::string& path) {
  Result<Checkpoint> checkpoint = read_checkpoint(path);
  if (!checkpoint) return failure(TARN_DATA, std::move(checkpoint).error());
  const std::vector<ChangedHyperParameter> changed = changed_hyper_parameters(program(), *checkpoint);
  {
    Turn turn(*this, Use::brief, true, /*restarts=*/true);
    if (Answer refused = turn.refusal(); refused.failed()) return refused;
    Status resumed = check_constants(checkpoint->state);
    if (resumed) resumed = resume_checkpoint(session_, std::move(*checkpoint), memory_);
    if (!resumed) {
      turn.nothing_changed();
      return failure(TARN_DATA, std::move(resumed).error());
    }
    set_hyper_parameters(changed);
    goes_on_ = true;
  }
  served_.publish();
  return {};
}

void LibrarySession::stop() {
  session_.stop();
  served_.stop_readers();
}

tarn_progress LibrarySession::progress() const {
  const std::int64_t epoch = epoch_.load(std::memory_order_relaxed);
  if (epoch == 0) return {0, 0, 0, 0};
  const std::uint64_t batches = batches_.load(std::memory_order_relaxed);
  return {epoch, epochs_.load(std::memory_order_relaxed), std::min(session_.batches_done(), batches), batches};
}

}  // namespace tarn
