// One prediction of a small network: by the generated function itself, by a predictor, and by a session. The bounds:
// 150 ns for the function, 30 ns more for the predictor. The rows without samples are what the call alone costs.
//
//   cmake --preset release -DTARN_BENCHMARKS=ON && ninja -C build/release library_benchmark &&
//   build/release/bin/library_benchmark
#include <benchmark/benchmark.h>
#include <tarn/c.h>

#include <cstdint>
#include <string_view>

#include "runtime/session/session.h"

namespace {

constexpr const char* kFlower = R"(model flower {
  input  x[4]
  output y = x |> dense(6, relu, kernel_init = he_normal) |> dense(3, softmax)
})";

// The measurements depend on the last answer, as they would not in a loop over rows: time, not throughput.
struct Flower {
  float x[4] = {5.1F, 3.5F, 1.4F, 0.2F};
  float y[3] = {};
  void next() { x[0] += 1e-9F * y[0]; }
};

// Handles of the C API, with what its functions take.
struct Handles {
  tarn_model* model = nullptr;
  tarn_session* session = nullptr;
  tarn_predictor* predictor = nullptr;
  Handles() {
    const bool made =
        tarn_compile_text("flower.tarn", kFlower, std::string_view(kFlower).size(), nullptr, &model) == 0 &&
        tarn_session_create(model, nullptr, &session) == 0 && tarn_predictor_create(session, &predictor) == 0;
    TARN_CHECK(made, tarn_error_message());
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    tarn_predictor_free(predictor);
    tarn_session_free(session);
    tarn_model_free(model);
  }
};

void function(benchmark::State& state) {
  tarn::Sources sources;
  const auto model = tarn::Model::compile_text("flower.tarn", kFlower, {}, {"init", "predict"}, sources);
  TARN_CHECK(model.has_value(), "the model of the benchmark does not compile");
  const tarn::Session session(*model, 1);
  const tarn::PredictFunction predict = (*model)->native().predict();
  tarn::Bytes workspace(session.workspace_bytes());
  Flower flower;
  const void* const inputs[] = {flower.x};
  void* const outputs[] = {flower.y};
  const auto samples = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    predict(session.state().data(), workspace.data(), inputs, outputs, samples, nullptr);
    flower.next();
  }
}
BENCHMARK(function)->Arg(0)->Arg(1);

void predictor(benchmark::State& state) {
  const Handles handles;
  Flower flower;
  const void* const inputs[] = {flower.x};
  void* const outputs[] = {flower.y};
  const auto samples = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    tarn_predictor_run(handles.predictor, inputs, outputs, samples);
    flower.next();
  }
}
BENCHMARK(predictor)->Arg(0)->Arg(1);

void session(benchmark::State& state) {
  const Handles handles;
  Flower flower;
  const std::int64_t shape[] = {1, 4};
  const tarn_array input = {"x", {flower.x, shape, nullptr, 2, TARN_F32}};
  const tarn_output output = {"y", flower.y, sizeof(flower.y), TARN_F32};
  for (auto _ : state) {
    tarn_session_predict(handles.session, &input, 1, &output, 1);
    flower.next();
  }
}
BENCHMARK(session);

}  // namespace

BENCHMARK_MAIN();
