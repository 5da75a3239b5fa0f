// Training that is interrupted in the middle of an epoch and goes on there: weights, slots, counters, metrics and
// history have the bits of a run that nobody interrupted.
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <thread>

#include "ir/random.h"
#include "runtime/files/safetensors.h"
#include "runtime/session/weights.h"
#include "runtime/training/checkpoint.h"
#include "runtime/training/training.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

using ::testing::HasSubstr;

struct InterruptedSetting {
  const char* name;
  const char* layers;
  const char* lines;
  bool validates = true;
  bool shuffles = true;
  DType float_type = DType::f32;
  int threads = 1;
};

// Whatever remembers something from batch to batch: slots, states, averages, gradients that are gathered, draws by
// step, metrics that are no sums.
const InterruptedSetting kSettings[] = {
    {"Plain", "dense(2, softmax)", "  optimizer sgd\n", false, false},
    {"InTheOrderOfTheFile", "dense(8, relu) |> dropout(0.3) |> dense(2, softmax)", "  optimizer adam\n", true, false},
    {"DropoutAndStates", "batch_norm(momentum = 0.5) |> dense(8, tanh) |> dropout(0.4) |> dense(2, softmax)",
     "  metric accuracy(y, t)\n  optimizer rmsprop(momentum = 0.5)\n  clip_global_norm 1\n"},
    {"MetricsThatAreNoSums", "dense(8, relu) |> dense(2, softmax)",
     "  metric precision(y, t)\n  metric auc(y, t)\n  metric confusion = sum(one_hot(argmax(y), 2) * t)\n"
     "  optimizer adam(lr = 0.05)\n  class_weight {0: 3, 1: 0.5}\n"},
    {"AveragesAndAccumulation", "dense(8, relu) |> dropout(0.2) |> dense(2, softmax)",
     "  optimizer adam\n  ema(0.9, overwrite_every = 4)\n  accumulate 3\n  reduce_on_plateau(patience = 1)\n"
     "  early_stopping(patience = 2, restore_best = true)\n"},
    {"StatesFittedToTheData", "normalization |> dense(2, softmax)", "  metric auc(y, t)\n  optimizer adam\n"},
    {"Doubles", "dense(8, tanh) |> dropout(0.3) |> dense(2, softmax)", "  optimizer nadam\n", true, true, DType::f64},
    {"Threads", "dense(300, tanh) |> dropout(0.3) |> dense(300, relu) |> dense(2, softmax)", "  optimizer adam\n", true,
     true, DType::f32, 2},
};

constexpr std::uint64_t kRows = 75, kBatch = 16, kBatches = 5;  // the last batch is short
constexpr std::int64_t kEpochs = 3;

std::string text_of(const InterruptedSetting& setting) {
  return "model m {\n  input x[6]\n  output y = x |> " + std::string(setting.layers) +
         "\n}\ntrain {\n  target t[2]\n  loss categorical_crossentropy(y, t)\n" + setting.lines + "  batch 16\n}\n";
}

std::shared_ptr<Model> compiled(const InterruptedSetting& setting) {
  Sources sources;
  ModelOptions options;
  options.float_type = setting.float_type;
  const auto model = Model::compile_text("m.tarn", text_of(setting), options, {"train"}, sources);
  EXPECT_TRUE(model.has_value()) << format(model.error(), sources);
  return model.has_value() ? *model : nullptr;
}

// Samples of two classes, in the floats of a setting.
class Samples {
 public:
  Samples(DType type, std::uint64_t rows) : type_(type), rows_(rows) {
    std::vector<double> x(rows * 6), t(rows * 2);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<double>(i * 2'654'435'761U % 1'000) / 500 - 1 + static_cast<double>(i / 6 % 2);
    for (std::size_t i = 0; i < rows; ++i) t[2 * i + i % 2] = 1;
    for (const auto* values : {&x, &t}) {
      const auto width = static_cast<std::int64_t>(values->size() / rows);
      arrays_.push_back(Array::from_doubles(type == DType::f64 ? ArrayType::f64 : ArrayType::f32,
                                            {static_cast<std::int64_t>(rows), width}, *values));
    }
  }
  Rows rows() const { return {{arrays_[0].data.data(), arrays_[1].data.data()}, rows_}; }
  // One that has no number.
  void spoil(std::size_t row) {
    ASSERT_EQ(type_, DType::f32);
    arrays_[0].values<float>()[row * 6] = std::numeric_limits<float>::quiet_NaN();
  }

 private:
  DType type_;
  std::uint64_t rows_;
  std::vector<Array> arrays_;
};

// A run with the reports of its epochs.
struct Training {
  std::shared_ptr<Model> model;
  Session session;
  TrainingMemory memory;
  std::vector<EpochReport> reports;
  FitResult result;

  Training(const std::shared_ptr<Model>& compiled, const InterruptedSetting& setting, std::uint64_t seed = 7)
      : model(compiled), session(compiled, seed, setting.threads), validates(setting.validates) {
    options.shuffle = setting.shuffles;
    options.memory = &memory;
    options.on_epoch = [this](const EpochReport& report) {
      reports.push_back(report);
      return true;
    };
  }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  FitResult::End train(const Rows& rows, const Rows& validation, std::int64_t epochs) {
    options.epochs = epochs;
    result = fit(session, rows, validates ? &validation : nullptr, options);
    return result.end;
  }

  // As an interruption leaves it: the batches up to number `batch` of the next epoch are done.
  void train_to(std::uint64_t batch, const Rows& rows) {
    const EpochPlan plan = next_epoch(session, rows, options.shuffle);
    if (plan.epoch == 0 && !memory.position) {
      ASSERT_EQ(session.adapt(rows), Outcome::done);
    }
    const auto order =
        row_order(session.seed(), static_cast<std::uint64_t>(plan.epoch), static_cast<std::uint32_t>(rows.count));
    const Rows part{rows.arrays, std::min(batch * plan.batch, rows.count)};
    MetricValues metrics;
    ASSERT_EQ(session.train(part, options.shuffle ? order.data() : nullptr, metrics,
                            memory.position ? &*memory.position : nullptr),
              Outcome::done);
    ASSERT_EQ(session.batches_done(), batch);
    memory.position = EpochPosition{plan, batch, session.accumulators()};
  }

  FitOptions options;
  bool validates;
};

void expect_same(const Training& run, const Training& whole) {
  EXPECT_EQ(run.session.state(), whole.session.state());
  ASSERT_EQ(run.reports.size(), whole.reports.size());
  for (std::size_t i = 0; i < run.reports.size(); ++i) {
    EXPECT_EQ(run.reports[i].epoch, whole.reports[i].epoch);
    EXPECT_EQ(run.reports[i].training.values, whole.reports[i].training.values) << "epoch " << i + 1;
    ASSERT_EQ(run.reports[i].validation.has_value(), whole.reports[i].validation.has_value());
    if (run.reports[i].validation) {
      EXPECT_EQ(run.reports[i].validation->values, whole.reports[i].validation->values);
    }
  }
}

class Interrupted : public ::testing::TestWithParam<InterruptedSetting> {};

// One or two interruptions in an epoch, the last of them behind all its batches: in validation.
TEST_P(Interrupted, GoesOnFromACheckpointWithTheSameBits) {
  const auto model = compiled(GetParam());
  ASSERT_NE(model, nullptr);
  const Samples samples(GetParam().float_type, kRows), others(GetParam().float_type, 20);
  const Rows rows = samples.rows(), validation = others.rows();
  Training whole(model, GetParam());
  ASSERT_NE(whole.train(rows, validation, kEpochs), FitResult::End::not_finite);
  const test::TemporaryFolder folder;
  const std::string path = folder.file("checkpoint.safetensors");
  for (const std::int64_t epoch : {0, 1}) {
    for (const std::vector<std::uint64_t>& cuts : {std::vector<std::uint64_t>{0}, {1}, {2, 4}, {3, 3, kBatches}}) {
      SCOPED_TRACE("epoch " + std::to_string(epoch + 1) + ", batch " + std::to_string(cuts.front()));
      Training run(model, GetParam());
      // As a checkpoint has it: averages and the best weights take the place of the weights only behind that.
      run.options.before_end = [&] { ASSERT_TRUE(write_checkpoint(path, run.session, run.memory)); };
      run.train(rows, validation, epoch);
      run.options.before_end = nullptr;
      ASSERT_TRUE(resume_checkpoint(run.session, path, run.memory));
      for (const std::uint64_t cut : cuts) {
        run.train_to(cut, rows);
        ASSERT_TRUE(write_checkpoint(path, run.session, run.memory));
        run.session.initialize(99);
        run.memory = {};
        ASSERT_TRUE(resume_checkpoint(run.session, path, run.memory));
        ASSERT_TRUE(run.memory.position.has_value());
        EXPECT_EQ(run.memory.position->batches, cut);
      }
      EXPECT_EQ(run.train(rows, validation, kEpochs), whole.result.end);
      expect_same(run, whole);
      EXPECT_FALSE(run.memory.position.has_value());
      EXPECT_EQ(run.result.steps + epoch * kBatches + cuts.back(), whole.result.steps);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, Interrupted, ::testing::ValuesIn(kSettings),
                         [](const auto& info) { return info.param.name; });

// Stopped by another thread as soon as `is_there` and as often as it takes to be stopped where `wanted`. The run trains
// one epoch after the other; the number of those done and begun.
std::int64_t stop_somewhere(Training& run, const Rows& rows, const Rows& validation,
                            const std::function<bool(std::uint64_t)>& is_there,
                            const std::function<bool(const EpochPosition&)>& wanted) {
  do {
    std::atomic<bool> ended{false};
    std::thread other([&] {
      while (!ended && !is_there(run.session.batches_done())) std::this_thread::yield();
      run.session.stop();
    });
    EXPECT_EQ(run.train(rows, validation, 1'000'000), FitResult::End::interrupted);
    ended = true;
    other.join();
    run.session.clear_stop();
  } while (!run.memory.position || !wanted(*run.memory.position));
  return run.memory.position->plan.epoch + 1;
}

TEST(InterruptedTraining, IsStoppedWhereverItIs) {
  const InterruptedSetting setting{"Stopped", "dense(64, tanh) |> dropout(0.4) |> dense(2, softmax)",
                                   "  metric auc(y, t)\n  optimizer adam\n"};
  const auto model = compiled(setting);
  ASSERT_NE(model, nullptr);
  // The one is mostly training, the other mostly validation.
  const Samples many(DType::f32, 300 * kBatch), few(DType::f32, kBatch);
  for (const bool in_validation : {false, true}) {
    SCOPED_TRACE(in_validation ? "in validation" : "in training");
    const Rows rows = (in_validation ? few : many).rows(), validation = (in_validation ? many : few).rows();
    const std::uint64_t all = rows.count / kBatch;
    Training run(model, setting), whole(model, setting);
    const std::int64_t epochs = stop_somewhere(
        run, rows, validation, [&](std::uint64_t batches) { return batches >= 2; },
        [&](const EpochPosition& at) {
          return in_validation ? at.batches == all : at.batches > 0 && at.batches < all;
        });
    EXPECT_EQ(run.train(rows, validation, epochs), FitResult::End::completed);
    EXPECT_EQ(whole.train(rows, validation, epochs), FitResult::End::completed);
    expect_same(run, whole);
  }
}

TEST(InterruptedTraining, NamesTheBatchThatIsNotFinite) {
  const InterruptedSetting setting{"Spoiled", "dense(2, softmax)", "  optimizer sgd\n", false, false};
  const auto model = compiled(setting);
  ASSERT_NE(model, nullptr);
  Samples samples(DType::f32, kRows);
  samples.spoil(3 * kBatch + 5);
  for (const std::uint64_t from : {1, 3}) {
    Training run(model, setting);
    run.train_to(from, samples.rows());
    EXPECT_EQ(run.train(samples.rows(), {}, 1), FitResult::End::not_finite);
    EXPECT_THAT(run.result.failure.message, HasSubstr("in epoch 1, batch 4;"));
    ASSERT_FALSE(run.result.failure.notes.empty());
    EXPECT_THAT(run.result.failure.notes.front().message,
                HasSubstr("'x' holds a NaN in row 6 of the batch, row 54 of the data"));
    EXPECT_FALSE(run.memory.position.has_value());
  }
}

// What an interrupted pass has seen, or one over other rows, does not count.
TEST(InterruptedTraining, StatesAreFittedFromTheirBeginning) {
  const InterruptedSetting setting{"Fitted", "normalization |> dense(2, softmax)", "  optimizer sgd\n"};
  const auto model = compiled(setting);
  ASSERT_NE(model, nullptr);
  const Samples samples(DType::f32, kRows), others(DType::f32, 20);
  Training run(model, setting), whole(model, setting);
  ASSERT_EQ(run.session.adapt(others.rows()), Outcome::done);
  run.session.stop();
  EXPECT_EQ(run.train(samples.rows(), others.rows(), 1), FitResult::End::interrupted);
  EXPECT_FALSE(run.memory.position.has_value());
  run.session.clear_stop();
  EXPECT_EQ(run.train(samples.rows(), others.rows(), 1), FitResult::End::completed);
  EXPECT_EQ(whole.train(samples.rows(), others.rows(), 1), FitResult::End::completed);
  expect_same(run, whole);
}

// The position is of no use in an epoch that has its rows in other batches, or is another one.
TEST(InterruptedTraining, BeginsAnotherEpochAtItsFirstBatch) {
  const InterruptedSetting setting{"Other", "dense(2, softmax)", "  optimizer sgd\n", false};
  const auto model = compiled(setting);
  ASSERT_NE(model, nullptr);
  const Samples samples(DType::f32, kRows);
  const Rows rows = samples.rows();
  const std::function<void(Training&, Rows&)> changes[] = {
      [](Training&, Rows& given) { given.count -= 1; },
      [](Training& run, Rows&) { run.options.shuffle = false; },
      [](Training& run, Rows&) { run.session.set_scalar("epoch", 1); },
      [](Training& run, Rows&) { run.memory.position->plan.batch *= 2; },
  };
  for (const auto& change : changes) {
    Training run(model, setting);
    run.train_to(2, rows);
    Rows given = rows;
    change(run, given);
    EXPECT_EQ(run.train(given, {}, 2), FitResult::End::completed);
    EXPECT_EQ(run.result.steps, static_cast<std::uint64_t>(run.result.epochs_done) * kBatches);
  }
  // Nothing to train: it stays for those who have.
  Training run(model, setting);
  run.train_to(2, rows);
  run.train(rows, {}, 0);
  EXPECT_TRUE(run.memory.position.has_value());
}

// A model with other metrics takes the checkpoint, and the epoch begins anew; so it does with a position that makes no
// sense, and without one, as in checkpoints of old.
TEST(InterruptedTraining, APositionThatDoesNotFitIsLeftOut) {
  const InterruptedSetting setting{"One", "dense(2, softmax)", "  metric accuracy(y, t)\n  optimizer sgd\n", false};
  const InterruptedSetting other{"Other", "dense(2, softmax)", "  metric auc(y, t)\n  optimizer sgd\n", false};
  const auto model = compiled(setting), measured_otherwise = compiled(other);
  ASSERT_TRUE(model != nullptr && measured_otherwise != nullptr);
  const Samples samples(DType::f32, kRows);
  const test::TemporaryFolder folder;
  const std::string path = folder.file("checkpoint.safetensors");
  Training run(model, setting), another(measured_otherwise, other);
  run.train_to(2, samples.rows());
  ASSERT_TRUE(write_checkpoint(path, run.session, run.memory));
  ASSERT_TRUE(resume_checkpoint(another.session, path, another.memory));
  EXPECT_FALSE(another.memory.position.has_value());
  EXPECT_EQ(another.session.tensor("dense_1.kernel").to_doubles(), run.session.tensor("dense_1.kernel").to_doubles());
  ASSERT_TRUE(read_weights(path).has_value());

  const auto file = read_safetensors(path);
  ASSERT_TRUE(file.has_value());
  const std::string training = file->metadata.at("training");
  const auto reads_position = [&](const std::string& from, const std::string& to) {
    auto metadata = file->metadata;
    std::string text = training;
    EXPECT_NE(text.find(from), std::string::npos) << text;
    metadata["training"] = text.replace(text.find(from), from.size(), to);
    EXPECT_TRUE(write_safetensors(path, views_of(file->tensors), metadata));
    TrainingMemory memory;
    EXPECT_TRUE(resume_checkpoint(run.session, path, memory)) << to;
    return memory.position.has_value();
  };
  EXPECT_TRUE(reads_position("{", "{"));
  const std::pair<const char*, const char*> wrong[] = {{"\"position\"", "\"old\""},
                                                       {"\"batches\":2", "\"batches\":6"},
                                                       {"\"batches\":2", "\"batches\":18446744073709551615"},
                                                       {"\"batch\":16", "\"batch\":0"},
                                                       {"\"batch\":16", "\"batch\":-3"},
                                                       {"\"rows\":75", "\"rows\":\"75\""},
                                                       {"\"position\":", "\"position\":7,\"old\":"}};
  for (const auto& [from, to] : wrong) EXPECT_FALSE(reads_position(from, to)) << to;
}

}  // namespace
}  // namespace tarn
