// Memory of training: `summary` says what it takes before it runs, and a step asks for none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

#include "codegen/workspace.h"
#include "runtime/session.h"

namespace {
std::atomic<std::uint64_t> allocations = 0;
}  // namespace

// Every allocation of this program is counted. Generated code calls no function at all, which its loader checks. Both
// forms of new, since delete is the partner of both. Not to be inlined: GCC then takes free() for the wrong partner.
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

TEST(Memory, StepsAllocateNothing) {
  Sources sources;
  auto model = Model::compile(fmt::format("{}/examples/iris.tarn", TARN_SOURCE_DIR), {},
                              {"init", "train", "evaluate", "report"}, sources);
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

// The two blocks that a session has are those that `summary` announces.
TEST(Memory, SummaryKnowsTheBlocksOfASession) {
  Sources sources;
  auto model = Model::compile(fmt::format("{}/examples/iris.tarn", TARN_SOURCE_DIR), {}, {"init"}, sources);
  ASSERT_TRUE(model.has_value());
  const Program& program = (*model)->program();
  const Session session(*model, 7);
  EXPECT_EQ(session.state().size(), state_bytes(program));
  EXPECT_EQ((*model)->native().workspace_bytes(),
            workspace_layout(program, (*model)->plan(), (*model)->native().target()).bytes);
}

}  // namespace
}  // namespace tarn
