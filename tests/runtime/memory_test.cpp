// Memory of training: `summary` says what it takes before it runs, and a step asks for none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

#include "codegen/program/workspace.h"
#include "frontend/frontend.h"
#include "runtime/data/dataset.h"
#include "runtime/files/npy.h"
#include "runtime/session/session.h"
#include "runtime/session/weights.h"
#include "runtime/training/checkpoint.h"
#include "runtime/training/training.h"
#include "tests/support/compiler/guarded_arrays.h"
#include "tests/support/files.h"

namespace {
std::atomic<std::uint64_t> allocations = 0;
}  // namespace

// Every allocation of this program is counted, but for those of arrays, which guarded_arrays.h counts. Generated code
// calls no function at all, which its loader checks. Both forms of new, since delete is the partner of both. Not to be
// inlined: GCC then takes free() for the wrong partner.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tarn {
namespace {

// Floats, in the order of the file or another, are held once: while they are read too.
TEST(Memory, DataAreHeldOnce) {
  const test::TemporaryFolder folder;
  constexpr std::int64_t kRows = 20'000, kWidth = 50;
  std::vector<double> numbers(kRows * kWidth);
  std::iota(numbers.begin(), numbers.end(), 0.0);
  ASSERT_TRUE(write_npy(folder.file("x.npy"), Array::from_doubles(ArrayType::f32, {kRows, kWidth}, numbers)));
  numbers.resize(kRows);
  ASSERT_TRUE(write_npy(folder.file("t.npy"), Array::from_doubles(ArrayType::f32, {kRows, 1}, numbers)));
  for (const bool shuffled : {false, true}) {
    Sources sources;
    const FrontendResult result =
        compile_text("m.tarn",
                     fmt::format("model m {{ input x[{}]\n output y = x |> dense(1) }}\ntrain {{ target t[1]\n loss "
                                 "mse(y, t)\n optimizer sgd }}\ndata {{ npy x = \"x.npy\", t = \"t.npy\"\n {} }}\n",
                                 kWidth, shuffled ? "shuffle_rows 3" : ""),
                     {}, sources);
    ASSERT_TRUE(result.program.has_value()) << format(result.diagnostics, sources);
    Vocabularies vocabularies;
    testing::ArrayBytes& bytes = testing::array_bytes();
    const std::uint64_t before = bytes.now;
    bytes.most = before;
    const auto data = read_dataset(*result.program, folder.path().string(), {}, vocabularies);
    ASSERT_TRUE(data.has_value());
    const std::uint64_t held = kRows * (kWidth + 1) * sizeof(float);
    EXPECT_LE(bytes.most - before, held + held / 20);
    EXPECT_GE(bytes.most - before, held);
    // Rows stay whole, and none is lost.
    const auto* const x = reinterpret_cast<const float*>(data->arrays[0].data());
    const auto* const t = reinterpret_cast<const float*>(data->arrays[1].data());
    double sum = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      ASSERT_EQ(x[row * kWidth + 7], t[row] * kWidth + 7);
      sum += t[row];
    }
    EXPECT_EQ(sum, kRows * (kRows - 1) / 2.0);
    EXPECT_EQ(t[1] != 1, shuffled);
  }
}

TEST(Memory, StepsAllocateNothing) {
  Sources sources;
  auto model = Model::compile(test::example("iris.tarn"), {}, {"init", "train", "evaluate", "report"}, sources);
  ASSERT_TRUE(model.has_value());
  Session session(*model, 7);
  constexpr std::size_t kRows = 1000;
  const std::vector<float> x(4 * kRows, 0.5F), t(3 * kRows, 1.0F / 3);
  std::vector<std::uint32_t> order(kRows);
  std::iota(order.begin(), order.end(), 0U);
  const auto allocated_by = [&](std::uint64_t rows, bool training) {
    const Rows data{{x.data(), t.data()}, rows};
    MetricValues metrics;
    const std::uint64_t before = allocations;
    const Outcome outcome = training ? session.train(data, order.data(), metrics) : session.evaluate(data, metrics);
    EXPECT_EQ(outcome, Outcome::done);
    return allocations - before;
  };
  for (const bool training : {true, false}) {
    const std::uint64_t one_step = allocated_by(50, training);
    EXPECT_EQ(allocated_by(kRows, training), one_step) << "20 steps instead of one";
  }
}

// A state of 16 MiB, trained and written in two ways: what else there is, is the order of the rows and the like.
TEST(Memory, AStateIsHeldOnceWhileItIsTrainedAndWritten) {
  const test::TemporaryFolder folder;
  Sources sources;
  const auto model = Model::compile_text(
      "m.tarn",
      "model m { input x[2048]\n output y = x |> dense(1024) |> dense(1) }\ntrain { target t[1]\n loss mse(y, t)\n "
      "optimizer sgd(1e-6, momentum = 0.5)\n batch 4 }\n",
      {}, {"init", "train", "evaluate", "report"}, sources);
  ASSERT_TRUE(model.has_value()) << format(model.error(), sources);
  Session session(*model, 7, 1);
  constexpr std::size_t kRows = 16;
  const std::vector<float> x(2048 * kRows, 0.5F), t(kRows, 1.0F);
  const Rows rows{{x.data(), t.data()}, kRows};
  TrainingMemory memory;
  FitOptions options;
  options.epochs = 2;
  options.memory = &memory;
  testing::ArrayBytes& bytes = testing::array_bytes();
  const std::uint64_t before = bytes.now;
  bytes.most = before;
  ASSERT_EQ(fit(session, rows, &rows, options).end, FitResult::End::completed);
  session.stop();
  options.epochs = 3;
  ASSERT_EQ(fit(session, rows, &rows, options).end, FitResult::End::interrupted);
  for (const char* const name : {"w.safetensors", "w.npz"}) ASSERT_TRUE(write_weights(folder.file(name), session));
  ASSERT_TRUE(write_checkpoint(folder.file("c.safetensors"), session, memory));
  EXPECT_LT(bytes.most - before, 4096U) << "of " << session.state().size() << " bytes of state";
}

// The two blocks that a session has are those that `summary` announces.
TEST(Memory, SummaryKnowsTheBlocksOfASession) {
  Sources sources;
  auto model = Model::compile(test::example("iris.tarn"), {}, {"init"}, sources);
  ASSERT_TRUE(model.has_value());
  const Program& program = (*model)->program();
  const Session session(*model, 7);
  EXPECT_EQ(session.state().size(), state_bytes(program));
  EXPECT_EQ((*model)->native().workspace_bytes(),
            workspace_layout(program, (*model)->plan(), (*model)->native().target()).bytes);
}

}  // namespace
}  // namespace tarn
