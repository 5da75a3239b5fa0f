// tests/plans/by_hand: plans that somebody has written, with numbers that NumPy has worked out (README.md there).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "passes/plan/interpreter.h"
#include "passes/plan/text.h"
#include "passes/planner/planner.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/golden_text.h"
#include "tests/support/compiler/plan_text_support.h"
#include "tests/support/files.h"

namespace tarn::testing {
namespace {

constexpr const char* kByHandFolder = "plans/by_hand";

double drawn_number(std::int64_t element, BufferId buffer, DType dtype) {
  const std::int64_t mixed = 29 * element + 11 * std::int64_t{buffer};
  switch (dtype) {
    case DType::f32:
    case DType::f64:
      return static_cast<double>(mixed % 31 - 15) / 16;
    case DType::i32:
      return static_cast<double>(mixed % 4);
    case DType::boolean:
      return static_cast<double>(mixed % 2);
  }
  return 0;
}

HostTensor drawn_numbers(BufferId id, DType dtype, Shape shape) {
  HostTensor values{std::move(shape), {}};
  for (std::int64_t i = 0; i < element_count(values.shape); ++i) values.data.push_back(drawn_number(i, id, dtype));
  return values;
}

// A program of the plan's inputs and of a tensor for each buffer of the state, at their places.
HandPlan hand_plan_of(KernelPlan plan) {
  HandPlan hand(plan.max_batch);
  hand.context.batch = plan.max_batch;
  hand.context.seed = 5;
  for (BufferId id = 0; id < plan.buffers.size(); ++id) {
    const Buffer& buffer = plan.buffers[id];
    const HostTensor values = drawn_numbers(id, buffer.dtype, with_batch(buffer.shape, plan.max_batch));
    if (buffer.space == Space::state) {
      TensorInfo tensor;
      tensor.name = buffer.name;
      tensor.type = {buffer.dtype, false, buffer.shape};
      tensor.offset = buffer.offset;
      hand.program.tensors.push_back(std::move(tensor));
      hand.context.tensors[buffer.name] = values;
    } else if (buffer.space == Space::input) {
      EXPECT_EQ(buffer.index, hand.program.inputs.size()) << "inputs stand in their order";
      InputInfo input;
      input.name = buffer.name;
      input.type = {buffer.dtype, true, Shape(buffer.shape.begin() + 1, buffer.shape.end())};
      hand.program.inputs.push_back(std::move(input));
      hand.context.inputs[buffer.name] = values;
    } else {
      EXPECT_EQ(buffer.space, Space::arena) << buffer.name;
    }
  }
  hand.plan = std::move(plan);
  return hand;
}

// "y = 1 2 3", over as many lines as it takes.
std::map<std::string, std::vector<double>> read_numbers(const std::string& text) {
  std::map<std::string, std::vector<double>> numbers;
  std::istringstream words(text);
  std::string name, before;
  for (std::string word; words >> word; before = word) {
    char* end = nullptr;
    const double number = std::strtod(word.c_str(), &end);
    if (word == "=") {
      name = before;
    } else if (*end == '\0') {
      numbers[name].push_back(number);
    }
  }
  return numbers;
}

void expect_numbers(const HandPlan& hand, const std::map<std::string, std::vector<double>>& expected,
                    const std::string& what) {
  for (const bool reversed : {false, true}) {
    const auto outcome = interpret(hand.plan, hand.program, hand.context, {reversed});
    ASSERT_TRUE(outcome.has_value()) << what << ": " << outcome.error().front().message;
    ASSERT_EQ(expected.size(), hand.plan.results.size());
    for (std::size_t i = 0; i < outcome->results.size(); ++i) {
      const std::vector<double>& found = outcome->results[i].data;
      const std::string& name = hand.plan.results[i].name;
      ASSERT_TRUE(expected.contains(name)) << name;
      const std::vector<double>& wanted = expected.at(name);
      ASSERT_EQ(found.size(), wanted.size()) << name;
      for (std::size_t k = 0; k < found.size(); ++k) {
        // Twelve digits of each number are written down.
        ASSERT_NEAR(found[k], wanted[k], 1e-10 * (1 + std::fabs(wanted[k])))
            << what << (reversed ? ", backwards: " : ": ") << name << "[" << k << "]";
      }
    }
  }
}

class PlansByHand : public ::testing::TestWithParam<std::string> {};

TEST_P(PlansByHand, GiveWhatNumPyGives) {
  const std::string text = test::read_text(test::source_folder() / "tests" / kByHandFolder / (GetParam() + ".txt"));
  const std::string mark = "\ngives\n";
  const std::size_t end = text.find(mark);
  ASSERT_NE(end, std::string::npos);
  const std::map<std::string, std::vector<double>> expected = read_numbers(text.substr(end + mark.size()));
  Sources sources;
  Result<NamedPlan> read = parse_plan(text.substr(0, end + 1), GetParam() + ".txt", sources);
  ASSERT_TRUE(read.has_value()) << format(read.error(), sources);
  HandPlan hand = hand_plan_of(std::move(read->plan));
  const Status verified = verify(hand.plan);
  ASSERT_TRUE(verified.has_value()) << verified.error().front().message;
  expect_reads_back(hand.plan);
  expect_numbers(hand, expected, "as written");
  if (HasFatalFailure()) return;
  HandPlan placed = hand;
  plan_memory(placed.plan, true);
  const Status still_good = verify(placed.plan);
  ASSERT_TRUE(still_good.has_value()) << still_good.error().front().message << print_memory(placed.plan);
  EXPECT_LE(placed.plan.arena_bytes, hand.plan.arena_bytes);
  expect_numbers(placed, expected, "with memory laid out anew");
  if (HasFatalFailure()) return;
  const std::int64_t most = hand.plan.max_batch;
  for (const std::int64_t batch : std::set<std::int64_t>{1, (most + 1) / 2, most}) {
    // In f32, over a dozen steps that do not magnify what they get.
    constexpr double kTolerance = 2e-5;
    expect_as_interpreted(hand, batch, kTolerance, "as written");
    if (batch == most) expect_as_interpreted(placed, batch, kTolerance, "with memory laid out anew");
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlansByHand, ::testing::ValuesIn(golden_names(kByHandFolder)),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace tarn::testing
