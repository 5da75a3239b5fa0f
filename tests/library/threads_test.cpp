// Many threads and many sessions: predictions while weights are swapped give the old or the new ones, nothing grows.
//
// TARN_PREDICTIONS sets how many predictions each of the 16 threads makes; tools/test_threads runs 100,000 under
// ThreadSanitizer.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "models.h"

namespace library_test {
namespace {

constexpr std::size_t kRows = 11;

std::size_t predictions() {
  const char* const wanted = std::getenv("TARN_PREDICTIONS");
  return wanted == nullptr ? 500 : std::strtoull(wanted, nullptr, 10);
}

// Weights of two seeds in files, and what they predict.
struct TwoWeights {
  TemporaryFolder folder;
  tarn::Model model = tarn::compile(kDeep);
  Samples samples{kRows};
  std::vector<float> expected[2];

  TwoWeights() {
    for (unsigned i = 0; i < 2; ++i) {
      const tarn::Session session(model, {.seed = 10 + i});
      session.save(file(i));
      expected[i] = floats(session.predict({{"x", samples.x}})["y"]);
    }
  }
  std::string file(unsigned which) const { return folder.file("w" + std::to_string(which) + ".safetensors"); }
  bool is_expected(const std::vector<float>& y) const { return y == expected[0] || y == expected[1]; }
};

TEST(Threads, PredictionsDuringSwapsUseTheOldOrTheNewWeights) {
  const TwoWeights two;
  tarn::Session session(two.model, {.seed = 10});
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0}, of_the_second{0};
  const tarn::Predictor shared = session.predictor();
  std::vector<std::thread> threads;
  for (unsigned id = 0; id < 16; ++id) {
    threads.emplace_back([&, id] {
      const tarn::Predictor own = session.predictor();
      // All but four threads have predictors of their own; two share one, two use the session.
      const auto predict = [&](std::vector<float>& y) {
        if (id >= 14) {
          session.predict({{"x", two.samples.x}}, {{"y", y}});
        } else {
          (id >= 12 ? shared : own)(two.samples.x.data(), y.data(), kRows);
        }
      };
      std::vector<float> y(kRows * 3);
      for (std::size_t i = 0; i < predictions(); ++i) {
        predict(y);
        if (!two.is_expected(y)) ++wrong;
        if (y == two.expected[1]) ++of_the_second;
      }
    });
  }
  std::thread swaps([&] {
    for (unsigned i = 1; !done; ++i) session.load(two.file(i % 2));
  });
  // Other sessions come and go on the same model, some in the middle of training.
  std::thread others([&] {
    while (!done) {
      tarn::Session other(two.model, {.seed = 3});
      const tarn::Predictor outlives = other.predictor();
      other.fit(two.samples.training(), {.epochs = 1});
      {
        const tarn::Session taken(std::move(other));
      }
      std::vector<float> y(kRows * 3);
      outlives(two.samples.x.data(), y.data(), kRows);
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  swaps.join();
  others.join();
  EXPECT_EQ(wrong, 0U);
  session.load(two.file(1));
  EXPECT_EQ(floats(session.predict({{"x", two.samples.x}})["y"]), two.expected[1]);
}

TEST(Threads, PredictionsDuringTrainingSeeWholeEpochs) {
  const tarn::Model model = tarn::compile(kDeep);
  const Samples samples(32);
  const std::vector<float> x(samples.x.begin(), samples.x.begin() + kRows * 4);
  constexpr std::int64_t kEpochs = 20;
  // What each epoch predicts, one after the other.
  std::vector<std::vector<float>> expected;
  tarn::Session serial(model, {.seed = 8});
  const auto predicted = [&](const tarn::Session& session) { return floats(session.predict({{"x", x}})["y"]); };
  expected.push_back(predicted(serial));
  serial.fit(samples.training(), {.epochs = kEpochs, .on_epoch = [&](const tarn::Epoch&) {
                                    expected.push_back(predicted(serial));
                                    return true;
                                  }});
  tarn::Session session(model, {.seed = 8});
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < 3; ++id) {
    threads.emplace_back([&] {
      const tarn::Predictor predict = session.predictor();
      std::vector<float> y(kRows * 3);
      while (!done) {
        predict(x.data(), y.data(), kRows);
        if (std::find(expected.begin(), expected.end(), y) == expected.end()) ++wrong;
      }
    });
  }
  session.fit(samples.training(), {.epochs = kEpochs});
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(predicted(session), expected.back());
}

// Without a callback the weights rest for less than a microsecond between two epochs.
TEST(Threads, PredictionsFollowATrainingThatDoesNotPause) {
  tarn::Session session(tarn::compile(kDeep), {.seed = 8});
  const Samples samples(32);
  const auto predicted = [&] { return floats(session.predict({{"x", samples.x}})["y"]); };
  const std::vector<float> before = predicted();
  std::thread trains([&] { session.fit(samples.training(), {.epochs = 1'000'000'000}); });
  while (session.progress().epoch < 3) std::this_thread::yield();
  std::vector<float> last = before;
  int changes = 0;
  for (int looks = 0; looks < 100 && changes < 10; ++looks) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::vector<float> now = predicted();
    changes += now != last ? 1 : 0;
    last = now;
  }
  session.stop();
  trains.join();
  EXPECT_EQ(changes, 10);
}

// Layers so large that their kernels are shared among threads.
constexpr const char* kLarge = R"(model large {
  input  x[256]
  output y = x |> dense(256, tanh) |> dense(256, tanh) |> dense(1)
}
train {
  target t[1]
  loss mean_squared_error(y, t)
  optimizer adam(lr = 0.001)
  epochs 2
  batch 128
})";

TEST(Threads, SharedKernelsGiveTheSameWhoeverElsePredicts) {
  constexpr std::size_t kSamples = 300;
  std::vector<float> x(kSamples * 256), t(kSamples);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 31 % 97) / 97;
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = static_cast<float>(i % 7) / 7;
  const tarn::Model model = tarn::compile(kLarge);
  const auto trained = [&](int threads) {
    tarn::Session session(model, {.seed = 4, .threads = threads});
    std::atomic<bool> done{false};
    std::vector<std::thread> others;
    for (int id = 0; id < 2; ++id) {
      others.emplace_back([&] {
        while (!done) session.predict({{"x", x}});
      });
    }
    session.fit({{"x", x}, {"t", t}});
    done = true;
    for (std::thread& other : others) other.join();
    return floats(session.predict({{"x", x}})["y"]);
  };
  const std::vector<float> alone = trained(1);
  for (const int threads : {2, 4}) EXPECT_EQ(trained(threads), alone) << threads << " threads";
}

// Of the threads that predict, one at a time has the workers of the session; a second session trains with its own.
TEST(Threads, SharedKernelsPredictWithTheOldOrTheNewWeightsDuringSwaps) {
  constexpr std::size_t kSamples = 150;
  std::vector<float> x(kSamples * 256), t(kSamples, 0.5F);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 31 % 97) / 97;
  const TemporaryFolder folder;
  const tarn::Model model = tarn::compile(kLarge);
  std::vector<float> expected[2];
  for (unsigned i = 0; i < 2; ++i) {
    const tarn::Session alone(model, {.seed = 20 + i, .threads = 1});
    alone.save(folder.file(std::to_string(i)));
    expected[i] = floats(alone.predict({{"x", x}})["y"]);
  }
  tarn::Session session(model, {.seed = 20, .threads = 4});
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([&] {
      std::vector<float> y(kSamples);
      for (std::size_t i = 0; i < predictions() / 100 + 1; ++i) {
        session.predict({{"x", x}}, {{"y", y}});
        if (y != expected[0] && y != expected[1]) ++wrong;
      }
    });
  }
  std::thread swaps([&] {
    for (unsigned i = 1; !done; ++i) session.load(folder.file(std::to_string(i % 2)));
  });
  std::thread trains([&] {
    while (!done) {
      tarn::Session other(model, {.seed = 3, .threads = 2});
      other.fit({{"x", x}, {"t", t}}, {.epochs = 1});
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  swaps.join();
  trains.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(Threads, ModelsCompileAndTrainInManyThreadsAsInOne) {
  const Samples samples(24);
  const auto trained = [&] {
    tarn::Session session(tarn::compile(kDeep), {.seed = 4});
    session.fit(samples.training());
    return floats(session.predict({{"x", samples.x}})["y"]);
  };
  const std::vector<float> expected = trained();
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) threads.emplace_back([&] { wrong += trained() == expected ? 0 : 1; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
}

// Sanitizers are slow, keep freed memory for a while, and find leaks themselves.
constexpr int kLess = TARN_SANITIZED ? 20 : 1;

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
}

TEST(Threads, SessionsComeAndGoWithoutGrowth) {
  const tarn::Model model = tarn::compile(kDeep);
  const Samples samples(8);
  const auto live = [&] {
    tarn::Session session(model, {.seed = 1});
    const tarn::Predictor predict = session.predictor();
    session.train_on_batch(samples.training());
    std::vector<float> y(8 * 3);
    predict(samples.x.data(), y.data(), 8);
    EXPECT_THROW(session.weight("none") = 1, tarn::ArgumentError);
  };
  // The heap has its size after the first ones.
  for (int i = 0; i < 1000 / kLess; ++i) live();
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 10'000 / kLess; ++i) live();
  // A session of this model has 7 KB: one in fifty that stayed would be more.
  if (kLess == 1) {
    EXPECT_LT(resident_bytes(), before + (std::size_t{1} << 20));
  }
}

TEST(Threads, ModelsComeAndGoWithoutGrowth) {
  for (int i = 0; i < 8; ++i) tarn::compile(kDeep);
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 24 / kLess; ++i) tarn::compile(kDeep);
  // One that is kept takes 500 KB: 24 of them would take twelve times this bound.
  if (kLess == 1) {
    EXPECT_LT(resident_bytes(), before + (std::size_t{1} << 20));
  }
}

}  // namespace
}  // namespace library_test
