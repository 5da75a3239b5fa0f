// Repeats in plans: what the verifier says of their rounds, against what the interpreter sees while it runs them;
// what of their code and memory does not grow with the number of rounds; and random plans of repeats in repeats,
// run natively. Plans whose numbers NumPy knows are in tests/plans/by_hand.
#include "passes/plan/repeat_accesses.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>

#include "passes/plan/interpreter.h"
#include "passes/plan/text.h"
#include "passes/planner/planner.h"
#include "passes/tactics/tiling.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/plan_text_support.h"

namespace tarn::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kRepeatBuffers = R"(plan adapt {
  max_batch 4
  arena 1024
  buffer w: f32[8,8] strides [8, 1] in state at 64
  buffer a: f32[8,8] strides [8, 1] in arena at 0
  buffer b: f32[8,8] strides [8, 1] in arena at 256
  buffer c: f32[8,8] strides [8, 1] in arena at 512
  buffer d: f32[8,8] strides [8, 1] in arena at 768
  buffer "over b and c": f32[8,8] strides [8, 1] in arena at 384
kernel 0 "all" loop
  for i < 8 j < 8
    a[i, j] = 1
    b[i, j] = 2
    c[i, j] = 3
    d[i, j] = 4
)";

std::string messages(const Status& status) {
  std::string all;
  if (!status) {
    for (const Diagnostic& diagnostic : status.error()) all += diagnostic.message + "\n";
  }
  return all;
}

Result<KernelPlan> parsed_or_error(const std::string& text) {
  Sources sources;
  Result<NamedPlan> read = parse_plan(text, "plan.txt", sources);
  if (!read) return error(format(read.error(), sources));
  return std::move(read->plan);
}

// One tensor, `w`, of 64 elements.
HandPlan hand_repeat_of(KernelPlan plan) {
  HandPlan hand(plan.max_batch);
  hand.tensor("w", DType::f32, {8, 8}, random_numbers(3, 64, DType::f32));
  hand.plan = std::move(plan);
  return hand;
}

// A repeat of 4 rounds that carries `carried`, of kernels over 8 points each that do one equation.
struct RepeatCase {
  const char* carried;
  std::vector<const char*> equations;
  const char* message;  // of the verifier; "" where the plan is good
};

const RepeatCase kRepeats[] = {
    // In one kernel.
    {"", {"a[s0, i] = w[s0, i]"}, ""},
    {"a", {"a[s0 + 1, i] = a[s0, i]"}, ""},
    {"", {"a[s0 + 1, i] = a[s0, i]"}, "a round reads of 'a' what an earlier one has written: it is not carried"},
    {"", {"a[s0, i] = a[s0 + 1, i]"}, ""},
    {"a", {"a[s0, i] = a[s0 + 1, i]"}, "'a' is carried: no round reads of it what an earlier one has written"},
    {"a", {"a[0, i] = (a[0, i] + 1)"}, ""},
    {"", {"a[0, i] = (a[0, i] + 1)"}, "not carried"},
    {"", {"a[s0, i] = (a[s0, i] + 1)"}, ""},
    {"a", {"a[7 - s0, i] = a[6 - s0, i]"}, "'a' is carried: no round reads"},
    {"a", {"a[6 - s0, i] = a[7 - s0, i]"}, ""},
    {"a", {"a[s0 + 4, i] = a[s0, i]"}, "'a' is carried: no round reads"},
    {"a", {"a[s0 + 3, i] = a[s0, i]"}, ""},
    {"", {"a[2*s0 + 1, i] = a[2*s0, i]"}, ""},
    {"", {"a[0, i] = 1"}, ""},
    {"a", {"a[0, i] += 1"}, ""},
    {"", {"a[0, i] += 1"}, "not carried"},
    {"", {"a[s0, i] += 1"}, ""},
    {"w", {"w[0, i] = (w[0, i] * 0.5)   if finite"}, ""},
    {"", {"w[0, i] = (w[0, i] * 0.5)   if finite"}, "not carried"},
    // From kernel to kernel.
    {"", {"b[0, i] = w[s0, i]", "c[s0, i] = b[0, i]"}, ""},
    {"b", {"b[0, i] = w[s0, i]", "c[s0, i] = b[0, i]"}, "'b' is carried: no round reads"},
    {"b", {"c[s0, i] = b[0, i]", "b[0, i] = w[s0, i]"}, ""},
    {"", {"c[s0, i] = b[0, i]", "b[0, i] = w[s0, i]"}, "a round reads of 'b'"},
    {"b", {"b[0, i] = w[s0, i]", "c[s0, i] = b[0, i]", "b[0, i] = 1"}, ""},
    {"", {"b[s0, i] = w[s0, i]", "c[0, i] = b[s0, i]"}, ""},
    {"b", {"b[s0, i] = w[s0, i]", "c[s0, i] = b[0, i]"}, ""},
    {"", {"w[0, i] = 1   if finite", "c[s0, i] = w[0, i]"}, "not carried"},
    {"c", {"c[0, i] = 1", "c[1, i] = (c[1, i] + 1)"}, ""},
    // Places in the arena.
    {"", {"\"over b and c\"[0, i] = w[s0, i]", "d[s0, i] = \"over b and c\"[0, i]"}, ""},
    {"", {"d[s0, i] = b[s0, i]", "\"over b and c\"[0, i] = w[s0, i]"}, "'b' is read before it is written, or after"},
    {"", {"b[s0, i] = 1", "\"over b and c\"[0, i] = w[s0, i]"}, "'over b and c' lies where rounds have left"},
    // Where it moves along.
    {"", {"a[s0, i] = w[2*s0 + 2, i]"}, "an access to 'w' leaves it"},
    {"", {"a[s0, i] = w[2*s0 + 1, i]"}, ""},
    {"", {"a[s0 - 1, i] = 1"}, "an access to 'a' leaves it"},
    {"", {"a[0, i] = 1   a[s0, i] = 2"}, "'a' is stored where 'a' is"},
    {"", {"a[s0, i] = 1   a[s0 + 1, i] = 2"}, ""},
    {"", {"a[s0, i] = a[s0 + 1, i]   b[s0, i] = a[4, i]"}, ""},
    {"", {"a[s0, i] = a[3, i]"}, "'a' is written where 'a' is read"},
    {"a, a", {"a[0, i] = (a[0, i] + 1)"}, "a repeat carries a buffer twice"},
};

std::string text_of(const RepeatCase& row) {
  std::string text = fmt::format("{}kernel 1 \"repeat\" repeat\n  4 times{}{} {{\n", kRepeatBuffers,
                                 *row.carried == 0 ? "" : "   carries ", row.carried);
  for (std::size_t i = 0; i < row.equations.size(); ++i) {
    text += fmt::format("  kernel {} \"k\" loop\n    for i < 8\n      {}\n", i + 2, row.equations[i]);
  }
  return text + "  }\n}\n";
}

TEST(Repeats, TheVerifierKnowsWhatIterationsLeaveForEachOther) {
  for (const RepeatCase& row : kRepeats) {
    SCOPED_TRACE(text_of(row));
    const Result<KernelPlan> plan = parsed_or_error(text_of(row));
    ASSERT_TRUE(plan.has_value()) << plan.error().front().message;
    const std::string found = messages(verify(*plan));
    EXPECT_THAT(found, HasSubstr(row.message));
    EXPECT_EQ(found.empty(), *row.message == 0) << found;
    expect_reads_back(*plan);
  }
}

// The interpreter knows of every element when it was written. What it objects to, the verifier has seen; and what is
// carried for nothing runs.
TEST(Repeats, TheInterpreterSeesTheSame) {
  for (const RepeatCase& row : kRepeats) {
    SCOPED_TRACE(text_of(row));
    const std::string_view message = row.message;
    const bool reads_earlier = message.find("it is not carried") != std::string_view::npos ||
                               message == "not carried" || message == "a round reads of 'b'";
    if (!reads_earlier && !message.empty() && message.find("is carried: no") == std::string_view::npos) continue;
    // A guarded store that keeps nothing is as good as one that replaces.
    if (reads_earlier && std::string_view(row.equations.front()) == "w[0, i] = 1   if finite") continue;
    const HandPlan hand = hand_repeat_of(*parsed_or_error(text_of(row)));
    const auto outcome = interpret(hand.plan, hand.program, hand.context);
    EXPECT_EQ(outcome.has_value(), !reads_earlier);
    if (outcome) continue;
    EXPECT_THAT(outcome.error().front().message, HasSubstr("by an earlier round of 'repeat'"));
  }
}

// A repeat of 4 rounds in one of 3, and what each carries.
struct NestedCase {
  const char* outer;
  const char* inner;
  std::vector<const char*> equations;
  const char* message;
};

const NestedCase kNested[] = {
    {"", "", {"b[0, i] = w[s1, i]", "c[s1, i] = b[0, i]"}, ""},
    {"", "", {"b[s1, i] = w[s0, i]", "c[s1, i] = b[s1, i]"}, ""},
    {"b", "b", {"b[s1, i] = w[s0, i]", "c[s1, i] = b[3 - s1, i]"}, ""},
    {"", "b", {"b[s1, i] = w[s0, i]", "c[s1, i] = b[3 - s1, i]"}, "it is not carried"},
    {"b", "", {"b[s1, i] = w[s0, i]", "c[s1, i] = b[3 - s1, i]"}, "it is not carried"},
    {"c", "c", {"c[0, i] = (c[0, i] + 1)"}, ""},
    {"c", "", {"c[s1, i] = (c[s1, i] + 1)"}, ""},
    {"", "c", {"c[s0, i] = (c[s0, i] + 1)"}, ""},
    {"", "", {"c[element 4*s0 + s1 + 16*i] = (c[element 4*s0 + s1 + 16*i] + 1)"}, "an access to 'c' leaves it"},
    {"", "", {"c[element 4*s0 + s1] = (c[element 4*s0 + s1] + index(i))"}, "two points store to one element of 'c'"},
    {"c", "c", {"c[s0 + s1 + 1, i] = c[s0 + s1, i]"}, ""},
    {"", "c", {"c[s0 + s1 + 1, i] = c[s0 + s1, i]"}, "it is not carried"},
    {"", "", {"c[2*s0 + 1, i] = c[2*s0, i]"}, ""},
};

TEST(Repeats, InOneAnotherEachKnowsWhatItsOwnRoundsLeave) {
  const auto carries = [](const char* names) { return fmt::format("{}{}", *names == 0 ? "" : "   carries ", names); };
  for (const NestedCase& row : kNested) {
    std::string text = fmt::format("{}kernel 1 \"outer\" repeat 3 times{} {{\nkernel 2 \"inner\" repeat 4 times{} {{\n",
                                   kRepeatBuffers, carries(row.outer), carries(row.inner));
    for (std::size_t i = 0; i < row.equations.size(); ++i) {
      text += fmt::format("kernel {} \"k\" loop\n for i < 8\n {}\n", i + 3, row.equations[i]);
    }
    text += "}\n}\n}\n";
    SCOPED_TRACE(text);
    const Result<KernelPlan> plan = parsed_or_error(text);
    ASSERT_TRUE(plan.has_value()) << plan.error().front().message;
    const std::string found = messages(verify(*plan));
    EXPECT_THAT(found, HasSubstr(row.message));
    EXPECT_EQ(found.empty(), *row.message == 0) << found;
    expect_reads_back(*plan);
    const bool is_carried = std::string_view(row.message) == "it is not carried";
    if (!found.empty() && !is_carried) continue;
    const HandPlan hand = hand_repeat_of(*plan);
    EXPECT_EQ(interpret(hand.plan, hand.program, hand.context).has_value(), !is_carried);
  }
}

TEST(Repeats, AreCheckedForTheirOwnShape) {
  const auto with = [](const std::function<void(Repeat&)>& change) {
    Result<KernelPlan> plan = parsed_or_error(text_of({"a", {"a[0, i] = (a[0, i] + 1)"}, ""}));
    change(std::get<Repeat>(plan->kernels[1].body));
    return messages(verify(*plan));
  };
  EXPECT_EQ(with([](Repeat&) {}), "");
  EXPECT_THAT(with([](Repeat& r) { r.count = 0; }), HasSubstr("a repeat has no round, or too many"));
  EXPECT_THAT(with([](Repeat& r) { r.count = std::int64_t{1} << 50; }), HasSubstr("no round, or too many"));
  EXPECT_THAT(with([](Repeat& r) { r.steps.clear(); }), HasSubstr("a repeat has no steps"));
  EXPECT_THAT(with([](Repeat& r) { r.carried = {77}; }), HasSubstr("a repeat carries no buffer"));
  EXPECT_THAT(with([](Repeat& r) { r.steps.push_back({"g", FiniteGuard{1}, 0}); }),
              HasSubstr("a guard stands in a repeat"));
  const auto store_of = [](Repeat& r) -> Linear& {
    return std::get<LoopKernel>(r.steps[0].body).body.stores[0].access.at;
  };
  EXPECT_THAT(with([&](Repeat& r) { store_of(r).repeat_strides = {0}; }), HasSubstr("the last stride along a repeat"));
  EXPECT_THAT(with([&](Repeat& r) { store_of(r).repeat_strides = {0, 1}; }), HasSubstr("a repeat that is not there"));
  EXPECT_THAT(with([&](Repeat& r) {
                for (std::size_t i = 0; i < kMostRepeats; ++i) {
                  std::vector<Kernel> inner = std::move(r.steps);
                  r.steps.clear();
                  r.steps.push_back({"inner", Repeat{1, std::move(inner), {}}, 0});
                }
              }),
              HasSubstr("there are more than 8 repeats around it"));
}

// ---------------------------------------------------------------- what does not grow with the rounds

std::string recurrence(std::int64_t places) {
  return fmt::format(R"(plan adapt {{
  max_batch 4
  arena 512
  buffer w: f32[8,8] strides [8, 1] in state at 64
  buffer h: f32[8] strides [1] in arena at 0
  buffer g: f32[8] strides [1] in arena at 64
kernel 0 "h" loop
  for i < 8
    h[i] = 0
kernel 1 "places" repeat
  {} times   carries h {{
  kernel 2 "g" loop
    for i < 8
      over j < 8
        r0 = reduce_sum of (w[i, j] * h[j])
      then
      g[i] = r0
  kernel 3 "h" loop
    for i < 8
      h[i] = (g[i] + 1)
  }}
}}
)",
                     places);
}

TEST(Repeats, CodeDoesNotGrowWithTheirCount) {
  const auto code = [](std::int64_t places) {
    HandPlan hand = hand_repeat_of(*parsed_or_error(recurrence(places)));
    choose_tilings(hand.plan, *target_of(options_for("native")));
    ProgramPlan plans;
    plans.plans["adapt"] = hand.plan;
    std::string text = *print_llvm(hand.program, plans, "adapt", options_for("native"));
    const std::string count = fmt::format(", {}", places);
    const std::size_t at = text.find(count);
    EXPECT_NE(at, std::string::npos) << text;
    return text.replace(at, count.size(), ", places");
  };
  EXPECT_EQ(code(1'600'000'001), code(1'600'000'002));
}

TEST(Repeats, CostIsThatOfAllIterations) {
  const KernelPlan ten = *parsed_or_error(recurrence(10)), thousand = *parsed_or_error(recurrence(1000));
  const KernelCost few = cost_of(ten, ten.kernels[1]), many = cost_of(thousand, thousand.kernels[1]);
  EXPECT_DOUBLE_EQ(few.flops, 10 * (8 * 8 * 2 + 8));
  EXPECT_DOUBLE_EQ(many.flops, 100 * few.flops);
  EXPECT_DOUBLE_EQ(many.bytes, 100 * few.bytes);
  const std::vector<KernelRuns> kernels = numbered_kernels(ten);
  ASSERT_EQ(kernels.size(), 4U);
  EXPECT_EQ(kernels[1].runs, 1);
  EXPECT_EQ(kernels[3].runs, 10);
  EXPECT_EQ(kernels[3].kernel->name, "h");
}

// A buffer that lives in one round shares its place with others of it; one that is carried, or read behind the
// repeat, with none.
TEST(Repeats, MemoryIsSharedWithinAnIteration) {
  Result<KernelPlan> plan = parsed_or_error(text_of(
      {"", {"b[0, i] = w[s0, i]", "c[0, i] = (b[0, i] * 2)", "d[0, i] = (c[0, i] * 3)", "w[s0, i] = d[0, i]"}, ""}));
  ASSERT_TRUE(plan.has_value());
  plan->kernels.erase(plan->kernels.begin());
  plan->buffers.pop_back();  // nothing uses it
  plan_memory(*plan, true);
  EXPECT_EQ(messages(verify(*plan)), "");
  EXPECT_EQ(plan->arena_bytes, 256U) << print_memory(*plan);
  Result<KernelPlan> carried = parsed_or_error(
      text_of({"b",
               {"c[0, i] = b[0, i]", "d[0, i] = (c[0, i] * 3)", "b[0, i] = (d[0, i] + w[s0, i])", "w[s0, i] = b[0, i]"},
               ""}));
  ASSERT_TRUE(carried.has_value());
  auto& all = std::get<LoopKernel>(carried->kernels[0].body).body.stores;
  std::erase_if(all, [](const Store& store) { return store.access.buffer != 2; });
  carried->buffers.pop_back();
  plan_memory(*carried, true);
  EXPECT_EQ(messages(verify(*carried)), "");
  EXPECT_EQ(carried->arena_bytes, 512U) << print_memory(*carried);
}

// ---------------------------------------------------------------- random plans

constexpr std::int64_t kElements = 64;

class RandomPlan {
 public:
  explicit RandomPlan(std::uint64_t seed) : random_(seed) {}

  KernelPlan make() {
    KernelPlan plan = *parsed_or_error(std::string(kRepeatBuffers) + "}\n");
    plan.buffers.pop_back();  // lies over others
    for (const char* name : {"a", "b", "c", "d"}) {
      plan.results.push_back({ResultKind::output, name, static_cast<BufferId>(plan.results.size() + 1)});
    }
    plan.arena_bytes = 1024;
    add_kernels(plan.kernels, 3);
    return plan;
  }

 private:
  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
  }

  void add_kernels(std::vector<Kernel>& kernels, int deeper) {
    for (std::int64_t left = 1 + below(3); left > 0; --left) {
      const std::int64_t kind = below(6);
      if (kind < 3 && deeper > 0) {
        Repeat repeat;
        repeat.count = 1 + below(4);
        repeats_.push_back(repeat.count);
        add_kernels(repeat.steps, deeper - 1);
        repeats_.pop_back();
        kernels.push_back({"repeat", std::move(repeat), 0});
      } else if (kind == 3) {
        kernels.push_back({"product", product(), 0});
      } else {
        LoopKernel kernel = loop();
        CpuTactics tactics;
        tactics.vector_axis = static_cast<std::uint32_t>(below(static_cast<std::int64_t>(kernel.axes.size())));
        kernels.push_back({"loop", std::move(kernel), 0, tactics});
      }
    }
  }

  // Somewhere in a buffer, whatever the indices. A store has a stride along every axis.
  Access access(const std::vector<std::int64_t>& extents, bool is_store) {
    while (true) {
      Access result;
      // A kernel that reads what it stores is seldom good.
      result.buffer = target_;
      const bool reads_target = below(8) == 0;
      while (!is_store && !reads_target && result.buffer == target_) result.buffer = static_cast<BufferId>(below(5));
      std::int64_t low = 0, high = 0, next = 1;
      const auto stride = [&](std::int64_t extent, bool needed) {
        const std::int64_t choices[] = {next, next, 1, 8, -1, 0};
        const std::int64_t chosen = needed ? next : choices[below(6)];
        (chosen < 0 ? low : high) += chosen * (extent - 1);
        next = std::max(next, std::abs(chosen) * extent);
        return chosen;
      };
      for (std::size_t i = extents.size(); i-- > 0;) {
        result.at.strides.insert(result.at.strides.begin(), stride(extents[i], is_store));
      }
      for (const std::int64_t count : repeats_)
        result.at.repeat_strides.push_back(below(2) == 0 ? 0 : stride(count, false));
      while (!result.at.repeat_strides.empty() && result.at.repeat_strides.back() == 0)
        result.at.repeat_strides.pop_back();
      if (high - low >= kElements) continue;
      result.at.offset = -low + below(std::min<std::int64_t>(kElements - (high - low), 4));
      return result;
    }
  }

  ValueId load(Body& body, const std::vector<std::int64_t>& extents) {
    Value value = simple(Value::Kind::load, DType::f32);
    value.access = access(extents, false);
    body.values.push_back(value);
    return static_cast<ValueId>(body.values.size() - 1);
  }
  ValueId scaled(Body& body, ValueId value, double factor) {
    body.values.push_back(number(factor, DType::f32));
    const auto constant = static_cast<ValueId>(body.values.size() - 1);
    body.values.push_back(operation(Op::mul, DType::f32, {value, constant}));
    return constant + 1;
  }
  // Numbers stay below 4, whatever is repeated: half of one, a quarter of another, and an index.
  void store(Body& body, ValueId value, const std::vector<std::int64_t>& extents) {
    const ValueId first = scaled(body, value, 0.5), second = scaled(body, load(body, extents), 0.25);
    body.values.push_back(operation(Op::add, DType::f32, {first, second}));
    const auto sum = static_cast<ValueId>(body.values.size() - 1);
    Value index = simple(Value::Kind::index, DType::f32);
    index.linear.strides.resize(extents.size());
    index.linear.repeat_strides.assign(repeats_.size(), 1);
    body.values.push_back(index);
    const ValueId part = scaled(body, sum + 1, 0.0625);
    body.values.push_back(operation(Op::add, DType::f32, {sum, part}));
    body.stores.push_back({static_cast<ValueId>(body.values.size() - 1), access(extents, true)});
  }

  LoopKernel loop() {
    LoopKernel kernel;
    target_ = static_cast<BufferId>(below(5));
    std::vector<std::int64_t> extents;
    for (std::int64_t axes = 1 + below(2); axes > 0; --axes) extents.push_back(1 + below(5));
    for (const std::int64_t extent : extents) kernel.axes.push_back({extent, false});
    kernel.reduced.resize(extents.size());
    const ValueId value = load(kernel.body, extents);
    store(kernel.body, value, extents);
    return kernel;
  }

  ContractionKernel product() {
    ContractionKernel kernel;
    target_ = static_cast<BufferId>(below(5));
    const std::int64_t rows = 1 + below(4), columns = 1 + below(5), inner = 1 + below(3);
    kernel.rows = {{rows, false}};
    kernel.columns = {{columns, false}};
    kernel.inner = {{inner, false}};
    kernel.a = operand_of(access({rows, inner}, false), kernel.dtype);
    kernel.b = operand_of(access({inner, columns}, false), kernel.dtype);
    kernel.epilogue.values.push_back(simple(Value::Kind::product, DType::f32));
    // Products of numbers below 4, and there are 3 at most.
    const ValueId value = scaled(kernel.epilogue, 0, 1.0 / 32);
    store(kernel.epilogue, value, {rows, columns});
    return kernel;
  }

  std::mt19937_64 random_;
  std::vector<std::int64_t> repeats_;
  BufferId target_ = 0;  // where the kernel stores
};

// Says of each repeat that it carries what it may, the inner ones first.
void set_carried(const KernelPlan& plan, std::vector<Kernel>& kernels, std::vector<std::int64_t>& repeats) {
  for (Kernel& kernel : kernels) {
    auto* const repeat = std::get_if<Repeat>(&kernel.body);
    if (repeat == nullptr) continue;
    repeats.push_back(repeat->count);
    set_carried(plan, repeat->steps, repeats);
    const std::set<BufferId> found = RepeatAccesses(plan, *repeat, repeats).read_of_earlier_rounds();
    repeat->carried.assign(found.begin(), found.end());
    repeats.pop_back();
  }
}
bool make_valid(KernelPlan& plan) {
  std::vector<std::int64_t> repeats;
  std::vector<Kernel> kernels = plan.kernels;
  set_carried(plan, kernels, repeats);
  plan.kernels = std::move(kernels);
  return verify(plan).has_value();
}

// What is wrong with the plan; nothing.
using Check = std::function<std::string(const KernelPlan&)>;

// Takes kernels away and rounds back as long as the check still fails.
KernelPlan shrunk(KernelPlan plan, const Check& check) {
  const auto try_without = [&](std::size_t number, bool whole) {
    KernelPlan smaller = plan;
    std::size_t next = 0;
    bool changed = false;
    const auto visit = [&](const auto& self, std::vector<Kernel>& kernels) -> void {
      for (std::size_t i = 0; i < kernels.size() && !changed; ++i) {
        auto* const repeat = std::get_if<Repeat>(&kernels[i].body);
        if (next++ == number) {
          changed = whole ? kernels.size() > 1 : repeat != nullptr && repeat->count > 1;
          if (changed && whole) kernels.erase(kernels.begin() + static_cast<std::ptrdiff_t>(i));
          if (changed && !whole) --repeat->count;
          return;
        }
        if (repeat != nullptr) self(self, repeat->steps);
      }
    };
    visit(visit, smaller.kernels);
    if (!changed || !make_valid(smaller) || check(smaller).empty()) return false;
    plan = std::move(smaller);
    return true;
  };
  for (bool again = true; again;) {
    again = false;
    for (std::size_t number = 1; number < numbered_kernels(plan).size(); ++number) {
      again = try_without(number, true) || try_without(number, false) || again;
    }
  }
  return plan;
}

void expect_good(const KernelPlan& plan, std::uint64_t seed, const Check& check) {
  const std::string wrong = check(plan);
  if (wrong.empty()) return;
  const KernelPlan smallest = shrunk(plan, check);
  ADD_FAILURE() << "seed " << seed << ": " << wrong << "; the smallest plan: " << check(smallest) << "\n"
                << print_whole(smallest, "adapt");
}

std::string what_interpreter_says(const KernelPlan& plan) {
  const HandPlan hand = hand_repeat_of(plan);
  const auto outcome = interpret(hand.plan, hand.program, hand.context);
  if (!outcome) return outcome.error().front().message;
  const auto reversed = interpret(hand.plan, hand.program, hand.context, {true});
  if (!reversed) return reversed.error().front().message;
  for (std::size_t i = 0; i < outcome->results.size(); ++i) {
    for (std::size_t k = 0; k < outcome->results[i].data.size(); ++k) {
      const double first = outcome->results[i].data[k], last = reversed->results[i].data[k];
      // Sums of three products, taken in another order.
      if (std::abs(first - last) > 1e-12) return fmt::format("backwards result {}[{}] is another", i, k);
    }
  }
  return "";
}

// Whatever the verifier lets through: no element is read that is not to be, and the order of points does not matter.
TEST(RandomRepeats, WhatIsVerifiedRuns) {
  int good = 0;
  for (std::uint64_t seed = 1; seed <= 3000 && !HasFailure(); ++seed) {
    KernelPlan plan = RandomPlan(seed).make();
    if (!make_valid(plan)) continue;
    ++good;
    expect_good(plan, seed, what_interpreter_says);
    if (seed % 8 == 0) expect_reads_back(plan, fmt::format("seed {}", seed));
  }
  EXPECT_GT(good, 600);
}

// With memory laid out anew, too.
TEST(RandomRepeats, CodeGivesWhatTheInterpreterGives) {
  int good = 0;
  for (std::uint64_t seed = 5001; good < 60 && !HasFailure(); ++seed) {
    KernelPlan plan = RandomPlan(seed).make();
    if (!make_valid(plan) || numbered_kernels(plan).size() < 5) continue;
    ++good;
    SCOPED_TRACE(fmt::format("seed {}", seed));
    if (good % 2 == 0) {
      plan.results.resize(1);
      plan_memory(plan, true);
    }
    const std::string& cpu = cpus()[static_cast<std::size_t>(good) % cpus().size()];
    expect_good(plan, seed, [&](const KernelPlan& tried) -> std::string {
      if (const Status valid = verify(tried); !valid) return messages(valid);
      const HandPlan hand = hand_repeat_of(tried);
      const auto expected = interpret(hand.plan, hand.program, hand.context);
      if (!expected) return expected.error().front().message;
      const NativeRun run = run_native(hand, options_for(cpu), 1);
      for (std::size_t i = 0; i < run.results.size(); ++i) {
        for (std::size_t k = 0; k < run.results[i].data.size(); ++k) {
          // Numbers below 4 in f32, in sums of a few that are halved from step to step.
          const double difference = run.results[i].data[k] - expected->results[i].data[k];
          if (!(std::abs(difference) < 3e-5))
            return fmt::format("{}: result {}[{}] differs by {}", cpu, i, k, difference);
        }
      }
      return "";
    });
  }
}

}  // namespace
}  // namespace tarn::testing
