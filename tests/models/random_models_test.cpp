// Random models, each trained by everybody who can, as tests/models/README.md tells.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/models/judge.h"
#include "tests/models/shrinker.h"
#include "tests/support/files.h"

namespace tarn::models {
namespace {

struct Counts {
  std::size_t models = 0, not_finite = 0, compared = 0, skipped = 0, failures = 0;
};

std::string setting(const char* name, const std::string& otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

Verdict judge_answers(const Answers& answers, const std::vector<Engine>& by) {
  Choices choices(answers);
  return judge_apart(generate(choices), by);
}

// The smallest model that fails as this one does, as a file, too, where a folder is named for them.
void report(std::uint64_t seed, const Choices& choices, const Verdict& verdict, const std::vector<Engine>& by) {
  std::vector<Engine> guilty;
  for (const Engine& engine : by) {
    if (verdict.engine == engine.name || verdict.engine.empty()) guilty.push_back(engine);
  }
  const auto fails = [&](const Answers& answers) {
    const Verdict other = judge_answers(answers, guilty);
    return other.kind == verdict.kind && other.engine == verdict.engine;
  };
  const Answers smallest = shrink(choices.answers(), fails, std::stoi(setting("TARN_MODELS_SHRINKING", "400")));
  Choices again(smallest);
  const RandomModel model = generate(again);
  const Verdict last = judge_answers(smallest, guilty);
  const std::string text = fmt::format("# Random model {}: {} by '{}'\n# {}\n{}", seed, name_of(last.kind), last.engine,
                                       last.what, describe(model));
  ADD_FAILURE() << text;
  const std::string folder = setting("TARN_MODELS_FOLDER", "");
  if (!folder.empty()) test::write_text(fmt::format("{}/model_{}.tarn", folder, seed), text);
}

void check(std::uint64_t seed, bool all_engines, Counts& counts) {
  Choices choices(seed);
  const RandomModel model = generate(choices);
  const std::vector<Engine> by = engines_for(seed, all_engines);
  const Verdict verdict = judge_apart(model, by);
  ++counts.models;
  counts.not_finite += verdict.kind == Verdict::Kind::not_finite ? 1 : 0;
  counts.compared += verdict.compared;
  counts.skipped += verdict.skipped;
  if (verdict.is_good()) return;
  ++counts.failures;
  report(seed, choices, verdict, by);
}

void check_range(std::uint64_t first, std::uint64_t count, bool all_engines, std::size_t most_failures = 1) {
  Counts counts;
  for (std::uint64_t seed = first; seed < first + count && counts.failures < most_failures; ++seed) {
    check(seed, all_engines, counts);
    if (counts.models % 100 == 0) {
      std::cout << fmt::format("up to {}: {} models, {} not finite, {} failures, {} compared, {} skipped\n", seed,
                               counts.models, counts.not_finite, counts.failures, counts.compared, counts.skipped)
                << std::flush;
    }
  }
  // What is not compared is no test.
  EXPECT_LE(counts.not_finite * 10, counts.models);
  EXPECT_LE(counts.skipped * 5, counts.compared);
}

// Sanitized programs are several times slower.
constexpr std::uint64_t kInPart = TARN_SANITIZED ? 10 : 50;

// In parts, which run side by side.
class RandomModels : public ::testing::TestWithParam<int> {};

TEST_P(RandomModels, AreTrainedAlikeByAll) {
  check_range(1 + 50 * static_cast<std::uint64_t>(GetParam()), kInPart, false);
}

INSTANTIATE_TEST_SUITE_P(Parts, RandomModels, ::testing::Range(0, 4));

TEST(RandomModels, FreshOnesAreTrainedAlikeByAll) {
  constexpr std::uint64_t kFresh = 5;
  const std::uint64_t first = std::random_device{}() + (std::uint64_t{1} << 32U);
  std::cout << "from seed " << first << "\n";
  check_range(first, kFresh, false);
}

// As many as one likes: TARN_MODELS_COUNT=1000 TARN_MODELS_FROM=1.
TEST(RandomModels, AsManyAsAskedFor) {
  const std::string count = setting("TARN_MODELS_COUNT", "0");
  constexpr std::size_t kMostFailures = 1000;
  check_range(std::stoull(setting("TARN_MODELS_FROM", "1")), std::stoull(count),
              setting("TARN_MODELS_ENGINES", "") == "all", kMostFailures);
}

}  // namespace
}  // namespace tarn::models
