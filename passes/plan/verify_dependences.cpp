// See verify_dependences.h.
#include "passes/plan/verify_dependences.h"

#include <fmt/format.h>

#include <optional>

#include "passes/plan/access.h"
#include "passes/plan/element_meetings.h"
#include "passes/plan/repeat_accesses.h"
#include "passes/plan/verify_accesses.h"

namespace tarn {
namespace {

// Of the two bodies of a kernel, the tail's for the axes that are not reduced.
struct PlacedStore {
  const Store* store;
  bool in_tail;
};
std::vector<PlacedStore> stores_of(const Body& body, const Body& tail) {
  std::vector<PlacedStore> stores;
  for (const Store& store : body.stores) stores.push_back({&store, false});
  for (const Store& store : tail.stores) stores.push_back({&store, true});
  return stores;
}

// Of the bodies of one kernel, whose axes these are.
class DependenceVerifier {
 public:
  DependenceVerifier(Verification& verification, const std::vector<Extent>& axes, const std::vector<bool>& reduced)
      : verification_(verification), axes_(axes), reduced_(reduced) {}

  // An element gets one value, whichever point comes last; sums get all of theirs, in the order of the points.
  void check_stores_apart(const std::vector<PlacedStore>& stores) {
    if (is_empty(axes_)) return;
    const auto name = [&](const Store& store) -> const std::string& {
      return verification_.plan.buffers[store.access.buffer].name;
    };
    for (std::size_t i = 0; i < stores.size(); ++i) {
      const Store& a = *stores[i].store;
      if (!a.accumulate) {
        const std::vector<std::int64_t> points = stores[i].in_tail ? points_along(reduced_) : points_along();
        verification_.require(a.access.row == kNoValue && !may_meet_itself(a.access.at, points),
                              fmt::format("two points store to one element of '{}'", name(a)));
      }
      for (std::size_t k = 0; k < i; ++k) {
        const Store& b = *stores[k].store;
        if (a.accumulate && b.accumulate && a.access.buffer == b.access.buffer) continue;
        const bool same = stores[i].in_tail == stores[k].in_tail && is_same_element(a.access, b.access);
        verification_.require(same || !overlap(a.access, b.access),
                              fmt::format("'{}' is stored where '{}' is", name(a), name(b)));
      }
    }
  }

  // Points that are different threads' do not touch one element, in sums either.
  void check_split(const std::vector<PlacedStore>& stores) {
    const std::optional<Split>& split = verification_.tactics().split;
    if (!split) return;
    verification_.require(split->axis < axes_.size() && !reduced_[split->axis],
                          "threads share an axis that they cannot share");
    if (!verification_.is_good() || is_empty(axes_)) return;
    const std::vector<std::int64_t> points = points_along();
    for (std::size_t i = 0; i < stores.size(); ++i) {
      const Access& a = stores[i].store->access;
      for (std::size_t k = 0; k <= i; ++k) {
        const Access& b = stores[k].store->access;
        if (a.buffer != b.buffer) continue;
        const SameRound both(a.at, b.at, points, verification_.repeats);
        verification_.require(
            a.row == kNoValue && b.row == kNoValue && !may_meet_across(both.a, both.b, both.extents, split->axis),
            "threads that share the kernel store to the same element");
      }
    }
  }

  // What is stored in a kernel may be read in it at the same point of the same body only.
  void check_overlaps(const Body& stores, const Body& loads, bool same_body) {
    for (const Store& store : stores.stores) {
      for (const Value& value : loads.values) {
        if (value.kind != Value::Kind::load || !overlap(store.access, value.access)) continue;
        verification_.require(
            same_body && is_same_element(store.access, value.access),
            fmt::format("'{}' is written where '{}' is read", verification_.plan.buffers[store.access.buffer].name,
                        verification_.plan.buffers[value.access.buffer].name));
      }
    }
  }

 private:
  // Whether both are the same element at every point.
  bool is_same_element(const Access& a, const Access& b) const {
    const Buffer& x = verification_.plan.buffers[a.buffer];
    const Buffer& y = verification_.plan.buffers[b.buffer];
    return a.at == b.at && x.space == y.space && x.index == y.index && x.offset == y.offset &&
           size_of(x.dtype) == size_of(y.dtype) && a.row == kNoValue && b.row == kNoValue;
  }

  std::vector<std::int64_t> points_along(const std::vector<bool>& without = {}) const {
    std::vector<std::int64_t> extents;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      extents.push_back(without.empty() || !without[i] ? largest(axes_[i], verification_.plan.max_batch) : 1);
    }
    return extents;
  }

  bool overlap(const Access& a, const Access& b) const {
    const Buffer& x = verification_.plan.buffers[a.buffer];
    const Buffer& y = verification_.plan.buffers[b.buffer];
    if (x.space != y.space || x.index != y.index || is_empty(axes_)) return false;
    const bool by_row = a.row != kNoValue || b.row != kNoValue;
    if (a.buffer == b.buffer && !by_row) {
      const SameRound both(a.at, b.at, points_along(), verification_.repeats);
      return may_meet(both.a, both.b, both.extents);
    }
    const auto bytes = [&](const Buffer& buffer, const Access& access) {
      const ElementRange range = element_range(access, axes_, verification_.repeats, verification_.plan.max_batch);
      const auto width = static_cast<Wide>(size_of(buffer.dtype));
      return ElementRange{buffer.offset + range.first * width, buffer.offset + (range.last + 1) * width};
    };
    const ElementRange p = bytes(x, a), q = bytes(y, b);
    return p.first < q.last && q.first < p.last;
  }

  Verification& verification_;
  const std::vector<Extent>& axes_;
  const std::vector<bool>& reduced_;
};

}  // namespace

void check_dependences(Verification& verification, const Body& body, const Body& tail, const std::vector<Extent>& axes,
                       const std::vector<bool>& reduced) {
  DependenceVerifier verifier(verification, axes, reduced);
  const std::vector<PlacedStore> stores = stores_of(body, tail);
  verifier.check_stores_apart(stores);
  verifier.check_split(stores);
  verifier.check_overlaps(body, body, true);
  verifier.check_overlaps(tail, tail, true);
  verifier.check_overlaps(body, tail, false);
  verifier.check_overlaps(tail, body, false);
}

void check_operands_stay(Verification& verification, const ContractionKernel& kernel) {
  for (const PlacedStore& placed : stores_of(kernel.epilogue, kernel.tail)) {
    for (const Operand* operand : {&kernel.a, &kernel.b}) {
      for_each_buffer(operand->body, [&](BufferId read) {
        const Buffer& x = verification.plan.buffers[placed.store->access.buffer];
        const Buffer& y = verification.plan.buffers[read];
        verification.require(!share_bytes(x, y, verification.plan.max_batch),
                             fmt::format("'{}' is written while the product reads '{}'", x.name, y.name));
      });
    }
  }
}

}  // namespace tarn
