// What a plan says about kernels that were not fused: every pair of which one reads what the other wrote has a reason,
// and the reason is true.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "frontend/frontend.h"
#include "passes/pipeline.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

using Buffers = std::set<BufferId>;

struct Uses {
  Buffers reads, writes;
};

Uses uses_of(const Kernel& kernel) {
  Uses uses;
  for_each_body(kernel.body, [&](const Body& body) {
    for (const Value& value : body.values) {
      if (value.kind == Value::Kind::load) uses.reads.insert(value.access.buffer);
    }
    for (const Store& store : body.stores) uses.writes.insert(store.access.buffer);
  });
  return uses;
}

bool needs(const Uses& after, const Uses& before) {
  return std::ranges::any_of(after.reads, [&](BufferId buffer) { return before.writes.contains(buffer); });
}

// "'after' is not fused with 'before': why"
struct Remark {
  std::string after, before, why;
};

Remark parse(const std::string& text) {
  const std::string middle = "' is not fused with '", end = "': ";
  const std::size_t first = text.find(middle), second = text.find(end, first);
  EXPECT_NE(second, std::string::npos) << text;
  if (second == std::string::npos) return {};
  const std::size_t before = first + middle.size();
  return {text.substr(1, first - 1), text.substr(before, second - before), text.substr(second + end.size())};
}

class Neighbours {
 public:
  explicit Neighbours(const KernelPlan& plan) : plan_(plan) {
    for (const Kernel& kernel : plan.kernels) uses_.push_back(uses_of(kernel));
    for (const std::string& text : plan.remarks) {
      Remark remark = parse(text);
      EXPECT_FALSE(remark.why.empty());
      why_.emplace(std::pair(std::move(remark.before), std::move(remark.after)), std::move(remark.why));
    }
  }

  // The number of pairs.
  std::size_t check() const {
    std::size_t pairs = 0;
    for (std::size_t after = 0; after < plan_.kernels.size(); ++after) {
      for (std::size_t before = 0; before < after; ++before) {
        if (!needs(uses_[after], uses_[before])) continue;
        ++pairs;
        check(before, after);
      }
    }
    return pairs;
  }

 private:
  // A kernel whose tail was cut off: what it reads, the remark says of both.
  static std::string whole(const std::string& name) {
    const std::string cut = "sums of ";
    return name.starts_with(cut) ? name.substr(cut.size()) : name;
  }

  void check(std::size_t before, std::size_t after) const {
    const std::string &first = plan_.kernels[before].name, &second = plan_.kernels[after].name;
    SCOPED_TRACE(fmt::format("'{}' reads what '{}' writes", second, first));
    auto found = why_.find({first, second});
    if (found == why_.end()) found = why_.find({whole(first), whole(second)});
    ASSERT_NE(found, why_.end());
    const std::string& why = found->second;
    const auto* const reader = std::get_if<LoopKernel>(&plan_.kernels[after].body);
    if (why == "a product begins a kernel of its own") {
      EXPECT_EQ(reader, nullptr);
    } else if (why == "a product delivers elements, not sums" || why == "a product delivers elements, not rows") {
      EXPECT_TRUE(std::holds_alternative<ContractionKernel>(plan_.kernels[before].body));
      EXPECT_NE(reader, nullptr);
    } else if (why == "what changes the state waits for a finite loss") {
      EXPECT_TRUE(std::ranges::any_of(uses_[after].writes, [&](BufferId buffer) {
        return plan_.buffers[buffer].space == Space::state || plan_.buffers[buffer].space == Space::accumulators;
      }));
    }
  }

  const KernelPlan& plan_;
  std::vector<Uses> uses_;
  std::map<std::pair<std::string, std::string>, std::string> why_;  // by the names: before, after
};

TEST(PlanNeighbours, EveryPairThatStaysApartHasAReason) {
  std::size_t models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "examples")) {
    if (entry.path().extension() != ".tarn") continue;
    for (const bool fuse : {true, false}) {
      Sources sources;
      FrontendResult read = compile_file(entry.path().string(), {}, sources);
      if (!read.program) continue;  // definitions for others
      assign_offsets(*read.program);
      PlanOptions options;
      options.target = {64, 32, true};
      options.fuse = fuse;
      PassContext context;
      const Result<ProgramPlan> plan = plan_program(*read.program, options, context);
      ASSERT_TRUE(plan.has_value());
      for (const auto& [name, kernels] : plan->plans) {
        SCOPED_TRACE(fmt::format("{} {} {}", entry.path().string(), name, fuse ? "" : "not fused"));
        const std::size_t pairs = Neighbours(kernels).check();
        EXPECT_TRUE(name != "train" || pairs > 0);
      }
      ++models;
    }
  }
  EXPECT_GE(models, 30U);
}

}  // namespace
}  // namespace tarn
