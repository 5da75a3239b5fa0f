// Threads that share kernels: every part done once, and results that do not depend on how many there are.
#include "runtime/session/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "runtime/session/session.h"
#include "tests/support/compiler/guarded_arrays.h"

namespace tarn {
namespace {

struct Parts {
  std::vector<std::atomic<int>> done;
};

void do_part(void* argument, std::size_t i) { ++static_cast<Parts*>(argument)->done[i]; }

TEST(ThreadPool, DoesEveryPartOnceAndReturnsWhenAllAreDone) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::size_t count = 0; count < 2'000; ++count) {
      Parts parts{std::vector<std::atomic<int>>(count % 20)};
      pool.run(parts.done.size(), do_part, &parts);
      for (const std::atomic<int>& done : parts.done) ASSERT_EQ(done, 1) << threads << " threads, task " << count;
    }
  }
}

// Pauses of the caller are longer than workers look for work: they have gone to sleep, and must wake.
TEST(ThreadPool, WakesWorkersThatSleepAndWaitsForPartsThatTakeLong) {
  ThreadPool pool(3);
  for (int task = 0; task < 20; ++task) {
    std::this_thread::sleep_for(std::chrono::milliseconds(task % 2));
    Parts parts{std::vector<std::atomic<int>>(3)};
    pool.run(
        3,
        [](void* argument, std::size_t i) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          do_part(argument, i);
        },
        &parts);
    for (const std::atomic<int>& done : parts.done) ASSERT_EQ(done, 1) << "task " << task;
  }
}

// Workers that take a hundred times as long as the caller, as where something else has their cores.
TEST(ThreadPool, DoesWithoutWorkersThatAreAlwaysLate) {
  struct Task {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> late{0};
  } task;
  ThreadPool pool(2);
  constexpr int kTasks = 2'000;
  for (int i = 0; i < kTasks; ++i) {
    pool.run(
        2,
        [](void* argument, std::size_t) {
          auto& shared = *static_cast<Task*>(argument);
          const bool late = std::this_thread::get_id() != shared.caller;
          shared.late += late ? 1 : 0;
          std::this_thread::sleep_for(std::chrono::microseconds(late ? 1'000 : 10));
        },
        &task);
  }
  // Every loss is followed by a pause of 16 tasks at least, unless the caller itself was late, on a busy machine, and
  // so did well to share; without pauses nearly every task has a late part.
  EXPECT_LE(task.late, kTasks / 4);
}

TEST(ThreadPool, ThreadsLeaveACoreForAnotherAndMayComeBack) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  const int core = sched_getcpu();
  std::thread([&] {
    const int moved_to = leave_core(core);
    EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(moved_to), &allowed));
    EXPECT_EQ(moved_to != core, CPU_COUNT(&allowed) > 1);
    cpu_set_t afterwards;
    ASSERT_EQ(sched_getaffinity(0, sizeof(afterwards), &afterwards), 0);
    EXPECT_TRUE(CPU_EQUAL(&afterwards, &allowed));
    // Where it may not run is no core to leave: it stays.
    leave_core(CPU_SETSIZE - 1);
    leave_core(-1);
  }).join();
}

TEST(ThreadPool, IsLentToOneUserAtATime) {
  ThreadPool pool(2);
  Control first, second;
  {
    const PoolLease lease(&pool, first);
    EXPECT_EQ(first.threads, 2);
    EXPECT_NE(first.parallel_for, nullptr);
    const PoolLease other(&pool, second);
    EXPECT_EQ(second.parallel_for, nullptr);
  }
  EXPECT_EQ(first.parallel_for, nullptr);
  const PoolLease lease(&pool, second);
  EXPECT_NE(second.parallel_for, nullptr);
}

// A model of which every kind of kernel is large enough to be shared, also the gathering of rows.
constexpr const char* kWide = R"(
model wide {
  input  x[300]
  output p = x |> dense(320, relu) |> dropout(0.2) |> dense(256, tanh) |> batch_norm() |> dense(10, softmax)
}

train {
  target t: i32
  loss      sparse_categorical_crossentropy(p, t)
  metric    accuracy(p, t)
  optimizer OPTIMIZER
  epochs 1
  batch  200
}
)";

struct Trained {
  Bytes state;
  std::vector<double> metrics, validation;
  std::vector<Array> outputs;
};

Trained train(const std::shared_ptr<Model>& model, int threads) {
  constexpr std::uint64_t kRows = 450;  // the last batch is short
  tarn::testing::GuardedVector<float> x(kRows * 300);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 2'654'435'761U) % 1'000) / 1'000;
  tarn::testing::GuardedVector<std::int32_t> t(kRows);
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = static_cast<std::int32_t>(i * 7 % 10);
  tarn::testing::GuardedVector<std::uint32_t> order(kRows);
  std::iota(order.rbegin(), order.rend(), 0U);
  Session session(model, 3, threads);
  const Rows rows{{x.data(), t.data()}, kRows};
  Trained result;
  MetricValues metrics;
  for (int epoch = 0; epoch < 2; ++epoch) {
    EXPECT_EQ(session.train(rows, order.data(), metrics), Outcome::done);
    for (const auto& values : metrics.values) result.metrics.insert(result.metrics.end(), values.begin(), values.end());
  }
  EXPECT_EQ(session.evaluate(rows, metrics), Outcome::done);
  for (const auto& values : metrics.values) {
    result.validation.insert(result.validation.end(), values.begin(), values.end());
  }
  EXPECT_EQ(session.predict(rows, result.outputs), Outcome::done);
  result.state = session.state();
  return result;
}

// The optimizers: an update in the epilogue of the product, and one that needs the norm of all gradients first.
TEST(Threads, GiveTheSameBitsHoweverManyThereAre) {
  for (const std::string optimizer : {"adam()", "sgd(momentum = 0.9)\n  clip_global_norm 1"}) {
    std::string text = kWide;
    text.replace(text.find("OPTIMIZER"), 9, optimizer);
    Sources sources;
    const Result<std::shared_ptr<Model>> model = Model::compile_text("wide.tarn", text, {}, {"train"}, sources);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    ASSERT_TRUE(is_shared((*model)->plan()));
    const Trained alone = train(*model, 1);
    for (const int threads : {2, 4, 8}) {
      const Trained shared = train(*model, threads);
      EXPECT_EQ(shared.state, alone.state) << optimizer << ", " << threads << " threads";
      EXPECT_EQ(shared.metrics, alone.metrics);
      EXPECT_EQ(shared.validation, alone.validation);
      ASSERT_EQ(shared.outputs.size(), alone.outputs.size());
      for (std::size_t i = 0; i < alone.outputs.size(); ++i) EXPECT_EQ(shared.outputs[i].data, alone.outputs[i].data);
    }
  }
}

TEST(Threads, SmallModelsHaveNone) {
  Sources sources;
  const Result<std::shared_ptr<Model>> model = Model::compile_text(
      "small.tarn", "model small {\n  input x[4]\n  output y = x |> dense(3)\n}\n", {}, {"predict"}, sources);
  ASSERT_TRUE(model.has_value()) << model.error().front().message;
  EXPECT_EQ(useful_threads((*model)->plan(), 8), 1);
  EXPECT_EQ(Session(*model, 1, 8).pool(), nullptr);
}

}  // namespace
}  // namespace tarn
