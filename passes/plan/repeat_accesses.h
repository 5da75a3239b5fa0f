// What the rounds of a repeat touch, and what one of them reads that an earlier one has written.
//
// The answers are exact where both accesses move by the same stride along the repeat, as in a sequence that is read one
// place behind where it is written; else they may be yes where they should be no.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Two functions of the points of one kernel and of the same rounds of the repeats around it, without the latter: of
// the points, and of further axes along which only the difference between the two moves. For may_meet() and its like
// (element_meetings.h).
struct SameRound {
  SameRound(const Linear& first, const Linear& second, std::vector<std::int64_t> points,
            const std::vector<std::int64_t>& repeats);

  Linear a, b;
  std::vector<std::int64_t> extents;
};

class RepeatAccesses {
 public:
  // `repeats`: how often those around the steps run, this one last. The steps' own accesses are inside their buffers.
  RepeatAccesses(const KernelPlan& plan, const Repeat& repeat, const std::vector<std::int64_t>& repeats);

  // Buffers of which a round may read what an earlier one has written.
  std::set<BufferId> read_of_earlier_rounds() const;
  // Buffers in the arena of which each round stores a part, and others that the steps store in the same place.
  std::vector<std::pair<BufferId, BufferId>> parts_in_use_elsewhere() const;

 private:
  struct Touch {
    const Access* access = nullptr;
    std::size_t place = 0;              // of the kernel, in the order of the steps
    std::vector<std::size_t> inner;     // the repeats between it and this one, each by its place
    std::vector<std::int64_t> extents;  // of the kernel's axes, then of those repeats
    Linear at;                          // along these
    std::vector<std::int64_t> outer;    // strides along the repeats around this one
    std::int64_t stride = 0;            // along this one
    bool is_store = false;
    bool replaces = false;  // whatever was there before
  };
  void add_kernels(const std::vector<Kernel>& kernels);
  void add_body(const Body& body, const std::vector<Extent>& axes);
  void add(const Access& access, const std::vector<Extent>& axes, bool is_store, bool replaces);
  bool may_read_of_earlier(const Touch& load, const Touch& store) const;
  // Whether a round of this repeat that stores the same elements as any other has stored, before it comes to the load,
  // what that finds there.
  bool is_done_before(const Touch& store, const Touch& load) const;
  // Whether the load may find an element that the store comes to in a later round of inner repeat number `level`, the
  // ones around that being in the same round.
  bool may_find_later(const Touch& load, const Touch& store, std::size_t level) const;
  // A meeting of the two in the same rounds of all repeats around this one, each at points of its own. `common`: inner
  // repeats whose rounds are left out.
  struct Meeting;
  Meeting meeting(const Touch& load, const Touch& store, std::size_t common) const;
  // Whether the load finds nothing but what the same round has stored before it.
  bool is_covered(const Touch& load) const;
  bool is_whole_buffer(const Touch& store) const;

  const KernelPlan& plan_;
  const std::vector<std::int64_t>& repeats_;
  std::size_t place_ = 0;
  std::vector<std::size_t> inner_;    // around what is added, by place
  std::vector<std::int64_t> counts_;  // of these
  std::vector<Touch> touches_;
};

}  // namespace tarn
