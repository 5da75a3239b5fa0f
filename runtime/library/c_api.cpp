// The functions of the C API on sessions and predictors: null checks, and the way to library.h.
#include "runtime/library/library.h"

namespace tarn {

namespace {

// Calls `function` with the session behind the handle.
template <class Function>
tarn_status on_session(tarn_session* session, const Function& function) {
  return guarded([&]() -> tarn_status {
    if (session == nullptr) return null_argument("the session");
    // Lives to the end of the call, whatever a callback does with the handle.
    const std::shared_ptr<LibrarySession> shared = session->shared;
    return finish(function(*shared), shared->model().sources);
  });
}

Answer need(const void* pointer, const char* what) { return pointer == nullptr ? is_null(what) : Answer(); }

template <class Function>
tarn_status with_path(tarn_session* session, const char* path, const Function& function) {
  return on_session(session, [&](LibrarySession& shared) {
    Answer answer = need(path, "the path");
    return answer.failed() ? answer : function(shared, std::string(path));
  });
}

tarn_status create_session(const tarn_model& model, const tarn_session_options* given, tarn_session** handle) {
  tarn_session_options options;
  Answer answer = read_options(given, options);
  if (!answer.failed() && options.threads < 0) answer = invalid("the number of threads is negative");
  if (answer.failed()) return finish(answer, {});
  const std::uint64_t seed = options.has_seed != 0 ? options.seed : model.shared->program().settings.seed;
  auto session = std::make_unique<tarn_session>();
  session->shared = std::make_shared<LibrarySession>(model.shared, seed, options.threads);
  if (answer = session->shared->check_initial(); answer.failed()) return finish(answer, model.shared->sources);
  *handle = session.release();
  return TARN_OK;
}

tarn_status create_predictor(const tarn_session& session, tarn_predictor** handle) {
  auto predictor = std::make_unique<tarn_predictor>();
  predictor->shared = session.shared;
  predictor->predict = session.shared->predict_function();
  const Program& program = session.shared->program();
  for (const InputInfo& input : program.inputs) {
    if (input.role != InputRole::input) continue;
    predictor->masks.push_back(size_of(input.type.dtype) - 1);
    ++predictor->inputs;
  }
  for (const OutputInfo& output : program.outputs) predictor->masks.push_back(size_of(output.type.dtype) - 1);
  predictor->outputs = program.outputs.size();
  predictor->reader = session.shared->served().take_reader();
  *handle = predictor.release();
  return TARN_OK;
}

tarn_status wrong_arrays(const tarn_predictor* predictor, const void* const* inputs, void* const* outputs) {
  if (predictor == nullptr) return null_argument("the predictor");
  if (inputs == nullptr && predictor->inputs > 0) return null_argument("the list of inputs");
  if (outputs == nullptr) return null_argument("the list of outputs");
  return finish(invalid("an array is null, or not aligned to its type"), {});
}

// Bits that no address of an array may have.
std::uintptr_t misaligned(const tarn_predictor& predictor, const void* const* inputs, void* const* outputs) {
  std::uintptr_t wrong = 0;
  const std::uintptr_t* mask = predictor.masks.data();
  for (std::size_t i = 0; i < predictor.inputs; ++i) {
    wrong |= reinterpret_cast<std::uintptr_t>(inputs[i]) & *mask++;
    wrong |= static_cast<std::uintptr_t>(inputs[i] == nullptr);
  }
  for (std::size_t i = 0; i < predictor.outputs; ++i) {
    wrong |= reinterpret_cast<std::uintptr_t>(outputs[i]) & *mask++;
    wrong |= static_cast<std::uintptr_t>(outputs[i] == nullptr);
  }
  return wrong;
}

// Another thread is in a call with the same predictor: this one takes a reader for itself.
tarn_status run_beside(const tarn_predictor& predictor, const void* const* inputs, void* const* outputs,
                       std::size_t samples) {
  return guarded([&]() -> tarn_status {
    ReaderLease lease(predictor.shared->served());
    predictor.predict(lease.weights(), lease.reader().workspace.data(), inputs, outputs, samples, nullptr);
    return TARN_OK;
  });
}

}  // namespace

}  // namespace tarn

using tarn::Answer;
using tarn::LibrarySession;

tarn_status tarn_session_create(const tarn_model* model, const tarn_session_options* options, tarn_session** session) {
  return tarn::guarded([&]() -> tarn_status {
    if (model == nullptr) return tarn::null_argument("the model");
    if (session == nullptr) return tarn::null_argument("the place for the session");
    return tarn::create_session(*model, options, session);
  });
}

void tarn_session_free(tarn_session* session) { delete session; }

tarn_status tarn_session_fit(tarn_session* session, const tarn_array* arrays, size_t count,
                             const tarn_fit_options* options, tarn_fit_result* result) {
  return tarn::on_session(session, [&](LibrarySession& shared) {
    tarn_fit_options chosen;
    Answer answer = tarn::read_options(options, chosen);
    tarn_fit_result found = {};
    if (!answer.failed()) answer = shared.fit(arrays, count, chosen, found);
    if (result != nullptr && !answer.failed()) *result = found;
    return answer;
  });
}

tarn_status tarn_session_train_on_batch(tarn_session* session, const tarn_array* arrays, size_t count, double* values,
                                        size_t value_count) {
  return tarn::on_session(
      session, [&](LibrarySession& shared) { return shared.train_on_batch(arrays, count, values, value_count); });
}

tarn_status tarn_session_evaluate(tarn_session* session, const tarn_array* arrays, size_t count, double* values,
                                  size_t value_count) {
  return tarn::on_session(session,
                          [&](LibrarySession& shared) { return shared.evaluate(arrays, count, values, value_count); });
}

tarn_status tarn_session_predict(tarn_session* session, const tarn_array* inputs, size_t input_count,
                                 const tarn_output* outputs, size_t output_count) {
  return tarn::on_session(
      session, [&](LibrarySession& shared) { return shared.predict(inputs, input_count, outputs, output_count); });
}

tarn_status tarn_session_read(tarn_session* session, const char* name, tarn_dtype dtype, void* values, size_t bytes) {
  return tarn::on_session(session, [&](LibrarySession& shared) {
    Answer answer = tarn::need(name, "the name");
    return answer.failed() ? answer : shared.read(name, dtype, values, bytes);
  });
}

tarn_status tarn_session_write(tarn_session* session, const char* name, const tarn_view* values) {
  return tarn::on_session(session, [&](LibrarySession& shared) {
    Answer answer = tarn::need(name, "the name");
    if (!answer.failed()) answer = tarn::need(values, "the view of the values");
    return answer.failed() ? answer : shared.write(name, *values);
  });
}

tarn_status tarn_session_classes(tarn_session* session, const char* input, char* names, size_t* bytes, size_t* count) {
  return tarn::on_session(session, [&](LibrarySession& shared) {
    Answer answer = tarn::need(input, "the name of the input");
    if (!answer.failed()) answer = tarn::need(bytes, "the place for the number of bytes");
    if (!answer.failed()) answer = tarn::need(count, "the place for the number of names");
    return answer.failed() ? answer : shared.classes(input, names, *bytes, *count);
  });
}

tarn_status tarn_session_initialize(tarn_session* session, uint64_t seed) {
  return tarn::on_session(session, [&](LibrarySession& shared) { return shared.initialize(seed); });
}

tarn_status tarn_session_save(tarn_session* session, const char* path) {
  return tarn::with_path(session, path,
                         [](LibrarySession& shared, const std::string& name) { return shared.save(name); });
}

tarn_status tarn_session_load(tarn_session* session, const char* path) {
  return tarn::with_path(session, path,
                         [](LibrarySession& shared, const std::string& name) { return shared.load(name); });
}

tarn_status tarn_session_checkpoint(tarn_session* session, const char* path) {
  return tarn::with_path(session, path,
                         [](LibrarySession& shared, const std::string& name) { return shared.checkpoint(name); });
}

tarn_status tarn_session_resume(tarn_session* session, const char* path) {
  return tarn::with_path(session, path,
                         [](LibrarySession& shared, const std::string& name) { return shared.resume(name); });
}

tarn_status tarn_session_stop(tarn_session* session) {
  if (session == nullptr) return tarn::guarded([] { return tarn::null_argument("the session"); });
  session->shared->stop();
  return TARN_OK;
}

tarn_status tarn_session_progress(const tarn_session* session, tarn_progress* progress) {
  return tarn::guarded([&]() -> tarn_status {
    if (session == nullptr) return tarn::null_argument("the session");
    if (progress == nullptr) return tarn::null_argument("the place for the progress");
    *progress = session->shared->progress();
    return TARN_OK;
  });
}

tarn_status tarn_predictor_create(tarn_session* session, tarn_predictor** predictor) {
  return tarn::guarded([&]() -> tarn_status {
    if (session == nullptr) return tarn::null_argument("the session");
    if (predictor == nullptr) return tarn::null_argument("the place for the predictor");
    return tarn::create_predictor(*session, predictor);
  });
}

void tarn_predictor_free(tarn_predictor* predictor) {
  if (predictor != nullptr) tarn::ServedWeights::release_reader(predictor->reader);
  delete predictor;
}

tarn_status tarn_predictor_run(tarn_predictor* predictor, const void* const* inputs, void* const* outputs,
                               size_t samples) {
  if (predictor == nullptr || inputs == nullptr || outputs == nullptr ||
      tarn::misaligned(*predictor, inputs, outputs) != 0) {
    // Nothing is read or written where there are no samples.
    if (predictor != nullptr && samples == 0) return TARN_OK;
    return tarn::guarded([&] { return tarn::wrong_arrays(predictor, inputs, outputs); });
  }
  tarn::Reader& reader = *predictor->reader;
  tarn::ServedWeights& served = predictor->shared->served();
  const std::byte* weights = nullptr;
  try {
    weights = served.protect_weights(reader);
  } catch (const std::bad_alloc&) {
    tarn::ServedWeights::unprotect(reader);
    return tarn::finish_out_of_memory();
  }
  if (weights == nullptr) return tarn::run_beside(*predictor, inputs, outputs, samples);
  predictor->predict(weights, reader.workspace.data(), inputs, outputs, samples, nullptr);
  tarn::ServedWeights::unprotect(reader);
  return TARN_OK;
}
