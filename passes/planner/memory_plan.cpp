// Offsets in the arena: buffers whose lives do not meet share bytes, and a result may take the place of an operand that
// dies at the same points.
#include <algorithm>
#include <map>
#include <set>

#include "passes/planner/planner.h"

namespace tarn {
namespace {

struct Life {
  std::size_t first = SIZE_MAX, last = 0;  // numbers of kernels
  std::uint64_t bytes = 0;
  BufferId shares_with = kNone;  // lives at the offset of this one
  std::uint64_t offset = 0;
  bool is_placed = false;
};

class MemoryPlanner {
 public:
  MemoryPlanner(KernelPlan& plan, bool in_place) : plan_(plan), in_place_(in_place), lives_(plan.buffers.size()) {}

  void run() {
    const std::vector<KernelRuns> kernels = numbered_kernels(plan_);
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      const auto use = [&](BufferId buffer) { lengthen(buffer, k, k); };
      // What a repeat uses, its steps do.
      if (steps_of(*kernels[k].kernel) == nullptr) for_each_buffer(kernels[k].kernel->body, use);
    }
    // The inner ones first.
    for (std::size_t k = kernels.size(); k-- > 0;) {
      const Kernel& kernel = *kernels[k].kernel;
      by_kind(
          kernel.body, [](const LoopKernel&) {}, [](const ContractionKernel&) {}, [](const FiniteGuard&) {},
          [&](const Repeat& repeat) { live_through(repeat, k, k + count_kernels(kernel) - 1); });
    }
    for (const PlanResult& result : plan_.results) lives_[result.buffer].last = SIZE_MAX;
    for (BufferId id = 0; id < lives_.size(); ++id) {
      if (is_in_arena(id)) lives_[id].bytes = bytes_of(plan_.buffers[id], plan_.max_batch);
    }
    if (in_place_) {
      for (std::size_t k = 0; k < kernels.size(); ++k) share_in_kernel(k, kernels[k].kernel->body);
    }
    place();
  }

 private:
  bool is_in_arena(BufferId id) const {
    return plan_.buffers[id].space == Space::arena && lives_[id].first != SIZE_MAX;
  }

  void lengthen(BufferId buffer, std::size_t first, std::size_t last) {
    lives_[buffer].first = std::min(lives_[buffer].first, first);
    lives_[buffer].last = std::max(lives_[buffer].last, last);
  }

  // What lives in a repeat, kernels `first` to `last`, and before or behind it too, lives in all rounds; so does
  // what it carries, and what gets a part from each round. All else lives anew in every round.
  void live_through(const Repeat& repeat, std::size_t first, std::size_t last) {
    std::set<BufferId> whole(repeat.carried.begin(), repeat.carried.end());
    for (const Kernel& step : repeat.steps) {
      for_each_buffer(step.body, [&](BufferId buffer) {
        if (lives_[buffer].first < first || lives_[buffer].last > last) whole.insert(buffer);
      });
      for_each_body(step.body, [&](const Body& body) {
        for (const Store& store : body.stores) {
          if (!store.access.at.repeat_strides.empty()) whole.insert(store.access.buffer);
        }
      });
    }
    for (const BufferId buffer : whole) lengthen(buffer, first, last);
  }

  void share_in_kernel(std::size_t k, const KernelBody& body) {
    by_kind(
        body,
        [&](const LoopKernel& loop) {
          share_in_body(k, loop.body, buffers_of(loop.tail));
          share_in_body(k, loop.tail, buffers_of(loop.body));
        },
        [&](const ContractionKernel& product) {
          std::set<BufferId> others = buffers_of(product.tail);
          others.merge(buffers_of(product.a.body));
          others.merge(buffers_of(product.b.body));
          share_in_body(k, product.epilogue, others);
        },
        [](const FiniteGuard&) {}, [](const Repeat&) {});
  }
  static std::set<BufferId> buffers_of(const Body& body) {
    std::set<BufferId> result;
    for_each_buffer(body, [&](BufferId buffer) { result.insert(buffer); });
    return result;
  }

  // A buffer that is written here first takes over one that is read here last, if every point reads just the element
  // that it writes. `others` are used by the rest of the kernel.
  void share_in_body(std::size_t k, const Body& body, const std::set<BufferId>& others) {
    std::set<BufferId> taken;
    for (const Store& store : body.stores) {
      const BufferId written = store.access.buffer;
      Life& life = lives_[written];
      if (!is_in_arena(written) || life.first != k || life.shares_with != kNone || store.accumulate) continue;
      if (others.contains(written) || uses(body, written) != 1) continue;
      for (const Value& value : body.values) {
        const BufferId read = value.access.buffer;
        if (value.kind != Value::Kind::load || value.access.row != kNoValue || !is_in_arena(read)) continue;
        if (lives_[root(read)].last != k || others.contains(read) || taken.contains(root(read))) continue;
        if (!may_take(written, read) || !reads_only_at(body, read, store.access.at)) continue;
        const BufferId base = root(read);
        life.shares_with = base;
        lives_[base].last = std::max(lives_[base].last, life.last);
        taken.insert(base);
        break;
      }
    }
  }

  bool may_take(BufferId written, BufferId read) const {
    const Buffer& a = plan_.buffers[written];
    const Buffer& b = plan_.buffers[read];
    return size_of(a.dtype) == size_of(b.dtype) && a.shape == b.shape && a.strides == b.strides &&
           lives_[written].bytes <= lives_[root(read)].bytes;
  }
  static std::size_t uses(const Body& body, BufferId buffer) {
    std::size_t count = 0;
    for_each_buffer(body, [&](BufferId used) { count += used == buffer; });
    return count;
  }
  static bool reads_only_at(const Body& body, BufferId buffer, const Linear& at) {
    for (const Store& store : body.stores) {
      if (store.access.buffer == buffer) return false;
    }
    return std::all_of(body.values.begin(), body.values.end(), [&](const Value& value) {
      return value.kind != Value::Kind::load || value.access.buffer != buffer ||
             (value.access.row == kNoValue && value.access.at == at);
    });
  }

  BufferId root(BufferId id) const {
    while (lives_[id].shares_with != kNone) id = lives_[id].shares_with;
    return id;
  }

  // The largest first, each where the smallest gap holds it.
  void place() {
    std::vector<BufferId> order;
    for (BufferId id = 0; id < lives_.size(); ++id) {
      if (is_in_arena(id) && lives_[id].shares_with == kNone) order.push_back(id);
    }
    std::sort(order.begin(), order.end(), [&](BufferId a, BufferId b) {
      return lives_[a].bytes != lives_[b].bytes ? lives_[a].bytes > lives_[b].bytes : a < b;
    });
    std::vector<BufferId> placed;  // by offset
    std::uint64_t end = 0;
    for (const BufferId id : order) {
      Life& life = lives_[id];
      life.offset = in_place_ ? best_offset(life, placed) : end;
      end = std::max(end, life.offset + aligned(life.bytes));
      placed.insert(std::upper_bound(placed.begin(), placed.end(), id,
                                     [&](BufferId a, BufferId b) { return lives_[a].offset < lives_[b].offset; }),
                    id);
    }
    for (BufferId id = 0; id < lives_.size(); ++id) {
      if (is_in_arena(id)) plan_.buffers[id].offset = lives_[root(id)].offset;
    }
    plan_.arena_bytes = end;
  }

  std::uint64_t best_offset(const Life& life, const std::vector<BufferId>& placed) const {
    std::uint64_t best = 0, best_gap = UINT64_MAX, free_from = 0;
    for (const BufferId other : placed) {
      const Life& o = lives_[other];
      if (o.last < life.first || o.first > life.last) continue;
      if (o.offset >= free_from + aligned(life.bytes) && o.offset - free_from < best_gap) {
        best = free_from;
        best_gap = o.offset - free_from;
      }
      free_from = std::max(free_from, o.offset + aligned(o.bytes));
    }
    return best_gap == UINT64_MAX ? free_from : best;
  }

  KernelPlan& plan_;
  bool in_place_;
  std::vector<Life> lives_;
};

}  // namespace

void plan_memory(KernelPlan& plan, bool in_place) { MemoryPlanner(plan, in_place).run(); }

}  // namespace tarn
