// The generator writes what the prelude has, all of it; the shrinker makes models small; the judge sees what is wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "tests/models/judge.h"
#include "tests/models/prelude_parts.h"
#include "tests/models/shrinker.h"

namespace tarn::models {
namespace {

constexpr std::uint64_t kTexts = 2500;

bool is_of_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// The words of many models behind which there is such text.
std::set<std::string> words_of_many_models(std::string_view behind) {
  std::set<std::string> words;
  for (std::uint64_t seed = 1; seed <= kTexts; ++seed) {
    Choices choices(seed);
    const std::string text = generate(choices).text;
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
      end = begin;
      while (end < text.size() && is_of_word(text[end])) ++end;
      if (end > begin && std::string_view(text).substr(end).starts_with(behind))
        words.insert(text.substr(begin, end - begin));
    }
  }
  return words;
}

// A definition that is new in the prelude is found by the generator, or needs a row in one of its tables.
TEST(Generator, WritesEveryNameOfThePrelude) {
  const std::set<std::string> written = words_of_many_models("");
  for (const Definition& one : prelude_definitions()) {
    if (is_left_out(left_out_names(), one.name)) continue;
    EXPECT_TRUE(written.contains(one.name)) << one.name << " is in none of so many models";
  }
}

TEST(Generator, WritesEveryParameterOfThePrelude) {
  const std::set<std::string> written = words_of_many_models(" = ");
  for (const Definition& one : prelude_definitions()) {
    if (one.kind == "builtin" || is_left_out(left_out_names(), one.name)) continue;
    for (const Parameter& parameter : one.parameters) {
      // What merges and metrics take one behind the other goes by place.
      const bool is_by_place = parameter.initial.empty() || one.file == "prelude/layers_merging.tarn";
      if (is_by_place || is_left_out(left_out_parameters(), parameter.name)) continue;
      EXPECT_TRUE(written.contains(parameter.name)) << one.name << " has '" << parameter.name << "'";
    }
  }
}

TEST(Shrinker, FindsTheSmallestModel) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; found < 3; ++seed) {
    Choices choices(seed);
    const auto has_running_sum = [](const Answers& answers) {
      Choices again(answers);
      return generate(again).text.find("cumsum(") != std::string::npos;
    };
    if (generate(choices).text.find("cumsum(") == std::string::npos) continue;
    ++found;
    Choices smallest(shrink(choices.answers(), has_running_sum));
    const std::string text = generate(smallest).text;
    // Input, the sum, a layer, the output, and a train block of four lines.
    EXPECT_LE(std::ranges::count(text, '\n'), 12) << "seed " << seed << "\n" << text;
    EXPECT_NE(text.find("cumsum("), std::string::npos);
  }
}

// What the evaluator gives, but for one number.
Result<Trajectory> nearly_right(const Subject& subject) {
  Result<Trajectory> trajectory = evaluated(subject);
  if (!trajectory) return trajectory;
  for (Observation& one : *trajectory) {
    const bool is_weight = one.name.starts_with("trained ") && one.name.find("optimizer") == std::string::npos;
    if (!is_weight) continue;
    const double size = *std::ranges::max_element(one.values, {}, [](double v) { return std::abs(v); });
    one.values.front() += 1e-9 * size;
    break;
  }
  return trajectory;
}

TEST(Judge, SeesANumberThatIsOffByABillionth) {
  std::size_t seen = 0, wrong = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Choices choices(seed);
    RandomModel model = generate(choices);
    model.float_type = DType::f64;
    if (model.text.find("f32") != std::string::npos) continue;
    const Verdict verdict = judge(model, {{"nearly right", nearly_right}});
    ASSERT_TRUE(verdict.kind == Verdict::Kind::agree || verdict.kind == Verdict::Kind::differ ||
                verdict.kind == Verdict::Kind::not_finite)
        << verdict.what;
    ++wrong;
    seen += verdict.kind == Verdict::Kind::differ ? 1U : 0U;
  }
  EXPECT_GE(seen * 10, wrong * 8) << seen << " of " << wrong;
}

}  // namespace
}  // namespace tarn::models
