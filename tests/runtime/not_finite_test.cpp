// Training that comes to a NaN or an infinity behind a finite loss: whatever optimizer and cause, nothing of it is
// stored, training ends, and the message says where it came from.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "runtime/training/training.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn::testing {
namespace {

using ::testing::HasSubstr;

constexpr float kFloatInfinity = std::numeric_limits<float>::infinity();

// The optimizers of the prelude; `decayed` takes another one.
const char* const kOptimizers[] = {
    "sgd(lr = 0.1)",
    "sgd(lr = 0.1, momentum = 0.9)",
    "sgd(lr = 0.1, momentum = 0.9, nesterov = true)",
    "rmsprop",
    "rmsprop(momentum = 0.5, centered = true)",
    "adagrad",
    "adadelta",
    "adam",
    "adam(amsgrad = true)",
    "adamw",
    "decayed(adam, 0.01)",
    "adamax",
    "nadam",
    "ftrl",
    "lion",
    "lamb",
    "adafactor",
    "adafactor(relative_step = false)",
};

// A model with a loss that is finite, and a gradient or an update that is not.
struct Cause {
  const char* name;
  const char* model;     // lines of the model
  const char* lines;     // of the train block
  std::vector<float> x;  // rows of two
  const char* message;   // what the error says among others; empty: depends on the optimizer
};

// An infinity where tanh is flat: the loss is finite, 0 times infinity is not. In row 3, the first one of batch 2.
const char* const kTanh = "  output y = x |> dense(3, tanh) |> dense(1)\n";
const std::vector<float> kInfiniteRow = {1, 2, 2, 1, 0, kFloatInfinity, 1, 1};
const char* const kInRow = "'x' holds an infinity in row 1 of the batch, row 3 of the data";
// The derivative of the root is infinite at 0.
const std::vector<float> kZero = {1, 2, 2, 1, 0, 0, 1, 1};

const Cause kCauses[] = {
    {"InfinityInTheData", kTanh, "", kInfiniteRow, kInRow},
    {"GradientOfARoot", "  param w[2] = [0, 0]\n  output y = sqrt(sum((0 * w - x)^2)) + sum(w)\n", "", kZero,
     "in the gradient of 'sqrt', in row 1 of the batch, row 3 of the data"},
    {"OverflowOfTheUpdate",
     "  param w = 1\n  output y = 1e-30 * w * sum(x)\n",
     "  loss 1e25 * sum(1e25 * y * t)\n",
     {1, 2, 2, 1, 1, 1, 1, 1},
     ""},
    {"Accumulated", kTanh, "  accumulate 3\n", kInfiniteRow, kInRow},
    {"ClippedByValue", kTanh, "  clip_value 0.5\n", kInfiniteRow, kInRow},
    {"InfiniteGradientClippedByValue", "  param w[2] = [0, 0]\n  output y = sum(w)^0.5 + sum(x)\n",
     "  clip_value 0.5\n", kZero, "in the gradient of 'pow'"},
    {"ClippedByNorm", kTanh, "  clip_norm 1\n", kInfiniteRow, kInRow},
    {"ClippedByGlobalNorm", kTanh, "  clip_global_norm 1\n", kInfiniteRow, kInRow},
    {"AveragedWeights", kTanh, "  ema(momentum = 0.5)\n", kInfiniteRow, kInRow},
    {"Decayed", kTanh, "  weight_decay 0.01\n", kInfiniteRow, kInRow},
};

std::string model_text(const Cause& cause, const std::string& optimizer) {
  const std::string lines = cause.lines;
  const std::string loss = lines.find("loss ") == std::string::npos ? "  loss mean_squared_error(y, t)\n" : "";
  return std::string("model m {\n  input x[2]\n") + cause.model + "}\ntrain {\n  target t[1]\n" + loss + lines +
         "  optimizer " + optimizer + "\n  batch 2\n  shuffle false\n  epochs 4\n}\n";
}

void expect_finite(const Session& session, const std::string& what) {
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind == TensorKind::metric) continue;
    for (const double value : session.tensor(tensor.name).to_doubles()) {
      ASSERT_TRUE(std::isfinite(value)) << what << ": " << tensor.name << " holds " << value;
    }
  }
}

class NotFinite : public ::testing::TestWithParam<Cause> {};

TEST_P(NotFinite, IsNotStored) {
  const Cause& cause = GetParam();
  for (const char* const optimizer : kOptimizers) {
    const std::string what = std::string(cause.name) + " with " + optimizer;
    const std::shared_ptr<Model> model = compiled_model(model_text(cause, optimizer));
    ASSERT_NE(model, nullptr) << what;
    Session session(model, 1);
    const std::vector<float> t(cause.x.size() / 2, 1);
    const Rows rows = {{cause.x.data(), t.data()}, t.size()};
    FitOptions options;
    options.epochs = 4;
    options.shuffle = false;
    const FitResult result = fit(session, rows, nullptr, options);
    expect_finite(session, what);
    if (HasFatalFailure()) return;
    ASSERT_EQ(result.end, FitResult::End::not_finite) << what;
    std::string text = result.failure.message;
    for (const Note& note : result.failure.notes) text += "\n" + note.message;
    EXPECT_THAT(text, HasSubstr("became NaN or infinite in epoch 1, batch ")) << what;
    EXPECT_THAT(text, HasSubstr(cause.message)) << what;
  }
}

// The compiled model, by its C functions; of the optimizers those that differ most.
TEST_P(NotFinite, IsNotStoredByCompiledModels) {
  const Cause& cause = GetParam();
  const test::TemporaryFolder folder;
  for (const char* const optimizer : {"sgd(lr = 0.1)", "adam", "lamb"}) {
    test::write_text(folder.path() / "m.tarn", model_text(cause, optimizer));
    std::string rows;
    for (const float value : cause.x) rows += std::isinf(value) ? "INFINITY," : std::to_string(value) + ",";
    const test::Finished finished =
        test::run(fmt::format("cd '{}' && '{}' compile m.tarn -o m.o --quiet --no-cache && cc -std=c11 -I. '-DROWS={}' "
                              "'{}/tests/data/not_finite.c' m.o -o program && ./program",
                              folder.path().string(), test::driver(), rows, test::source_folder().string()));
    EXPECT_EQ(finished.status, 0) << cause.name << " with " << optimizer << ": " << finished.output;
  }
}

// `ema` has gathered nothing before the first update, which with `accumulate` is made by the third batch.
TEST(AveragesWithoutAnUpdate, LeaveTheWeightsOfCompiledModels) {
  const test::TemporaryFolder folder;
  test::write_text(
      folder.path() / "m.tarn",
      "model m {\n  input x\n  param w = 0.5\n  output y = w * x\n}\ntrain {\n  target t\n  loss mse(y, t)\n"
      "  optimizer sgd(lr = 0.1)\n  accumulate 3\n  ema(momentum = 0.5)\n  batch 1\n}\n");
  test::write_text(folder.path() / "main.c", R"(#include "m.h"
static _Alignas(M_ALIGNMENT) char state[M_STATE_BYTES], workspace[M_WORKSPACE_BYTES];
int main(void) {
  const float x = 1, t = 2;
  size_t count, i;
  const m_tensor_info* tensors = m_tensors(&count);
  const float* w = 0;
  for (i = 0; i < count; ++i) {
    if (tensors[i].kind == M_KIND_PARAMETER) w = (const float*)(state + tensors[i].offset);
  }
  m_init(state, 1);
  for (i = 0; i < 3; ++i) {
    m_finish_training(state);
    if (*w != 0.5f) return 1;
    m_train_step(state, workspace, &x, &t, 1);
  }
  m_finish_training(state);
  return *w == 0.5f ? 2 : 0;
}
)");
  const test::Finished finished = test::run(
      fmt::format("cd '{}' && '{}' compile m.tarn -o m.o --quiet && cc -std=c11 main.c m.o -o program && ./program",
                  folder.path().string(), test::driver()));
  EXPECT_EQ(finished.status, 0) << finished.output;
}

// What is fitted to the data before training.
TEST(NotFiniteFit, NamesTheRow) {
  const std::shared_ptr<Model> model = compiled_model(
      "model m {\n  input x[2]\n  output y = x |> normalization |> dense(1)\n}\ntrain {\n  target t[1]\n"
      "  loss mse(y, t)\n  optimizer sgd\n  batch 2\n}\n");
  ASSERT_NE(model, nullptr);
  Session session(model, 1);
  const std::vector<float> t(4, 1);
  const Rows rows = {{kInfiniteRow.data(), t.data()}, 4};
  const FitResult result = fit(session, rows, nullptr, {});
  ASSERT_EQ(result.end, FitResult::End::not_finite);
  EXPECT_EQ(result.steps, 0U);
  EXPECT_THAT(result.failure.message,
              HasSubstr("fitted to the data before training, became NaN or infinite in batch 2"));
  ASSERT_EQ(result.failure.notes.size(), 1U);
  EXPECT_THAT(result.failure.notes[0].message, HasSubstr(kInRow));
  expect_finite(session, "normalization");
}

// An infinite metric of the first epoch does not stay the best for ever.
TEST(NotFiniteMetrics, AreNeverTheBest) {
  for (const bool larger : {false, true}) {
    for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      EXPECT_FALSE(is_better(value, std::nullopt, larger, 0));
      EXPECT_FALSE(is_better(value, 1.0, larger, 0));
    }
    EXPECT_TRUE(is_better(1.0, std::nullopt, larger, 0));
  }
}

INSTANTIATE_TEST_SUITE_P(Causes, NotFinite, ::testing::ValuesIn(kCauses),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tarn::testing
