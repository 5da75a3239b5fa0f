// See repeat_accesses.h.
#include "passes/plan/repeat_accesses.h"

#include <algorithm>

#include "passes/plan/access.h"
#include "passes/plan/element_meetings.h"

namespace tarn {
namespace {

std::int64_t stride_along(const Linear& linear, std::size_t repeat) {
  return repeat < linear.repeat_strides.size() ? linear.repeat_strides[repeat] : 0;
}

}  // namespace

SameRound::SameRound(const Linear& first, const Linear& second, std::vector<std::int64_t> points,
                     const std::vector<std::int64_t>& repeats)
    : a{first.strides, first.offset}, b{second.strides, second.offset}, extents(std::move(points)) {
  for (std::size_t d = 0; d < repeats.size(); ++d) {
    const std::int64_t difference = stride_along(second, d) - stride_along(first, d);
    if (difference == 0) continue;
    a.strides.push_back(0);
    b.strides.push_back(difference);
    extents.push_back(repeats[d]);
  }
}

RepeatAccesses::RepeatAccesses(const KernelPlan& plan, const Repeat& repeat, const std::vector<std::int64_t>& repeats)
    : plan_(plan), repeats_(repeats) {
  add_kernels(repeat.steps);
}

void RepeatAccesses::add_kernels(const std::vector<Kernel>& kernels) {
  for (const Kernel& kernel : kernels) {
    ++place_;
    by_kind(
        kernel.body,
        [&](const LoopKernel& loop) {
          add_body(loop.body, loop.axes);
          add_body(loop.tail, loop.axes);
        },
        [&](const ContractionKernel& product) {
          add_body(product.a.body, axes_with(product, product.rows, product.inner));
          add_body(product.b.body, axes_with(product, product.inner, product.columns));
          add_body(product.epilogue, axes_with(product, product.rows, product.columns));
          add_body(product.tail, axes_with(product, product.rows, product.columns));
        },
        [](const FiniteGuard&) {},
        [&](const Repeat& repeat) {
          inner_.push_back(place_);
          counts_.push_back(repeat.count);
          add_kernels(repeat.steps);
          inner_.pop_back();
          counts_.pop_back();
        });
  }
}

void RepeatAccesses::add_body(const Body& body, const std::vector<Extent>& axes) {
  for (const Value& value : body.values) {
    if (value.kind == Value::Kind::load) add(value.access, axes, false, false);
  }
  for (const Store& store : body.stores) {
    // A sum goes on from what is there, and a guarded store may keep it.
    if (store.accumulate) add(store.access, axes, false, false);
    add(store.access, axes, true, !store.accumulate && !store.guarded);
  }
}

void RepeatAccesses::add(const Access& access, const std::vector<Extent>& axes, bool is_store, bool replaces) {
  Touch touch;
  touch.access = &access;
  touch.place = place_;
  touch.inner = inner_;
  touch.at = {access.at.strides, access.at.offset};
  touch.is_store = is_store;
  touch.replaces = replaces;
  for (const Extent& axis : axes) touch.extents.push_back(largest(axis, plan_.max_batch));
  if (access.row != kNoValue) {
    touch.at.strides.push_back(access.row_stride);
    touch.extents.push_back(access.row_limit);
  }
  const std::size_t own = repeats_.size() - 1;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    touch.at.strides.push_back(stride_along(access.at, own + 1 + i));
    touch.extents.push_back(counts_[i]);
  }
  if (std::find(touch.extents.begin(), touch.extents.end(), 0) != touch.extents.end()) return;
  for (std::size_t d = 0; d < own; ++d) touch.outer.push_back(stride_along(access.at, d));
  touch.stride = stride_along(access.at, own);
  touches_.push_back(std::move(touch));
}

// store = a(x), load = b(y), for may_meet().
struct RepeatAccesses::Meeting {
  // Along an index that both have.
  void both_along(std::int64_t of_load, std::int64_t of_store, std::int64_t extent) {
    store_along(0, extent);
    load.strides.back() = of_load - of_store;
  }
  void store_along(std::int64_t stride, std::int64_t extent) {
    store.strides.push_back(stride);
    load.strides.push_back(0);
    extents.push_back(extent);
  }
  void load_along(std::int64_t stride, std::int64_t extent) {
    store_along(0, extent);
    load.strides.back() = stride;
  }
  bool is_possible() const { return may_meet(store, load, extents); }

  Linear store, load;
  std::vector<std::int64_t> extents;
};

RepeatAccesses::Meeting RepeatAccesses::meeting(const Touch& load, const Touch& store, std::size_t common) const {
  Meeting meeting;
  meeting.store.offset = store.at.offset;
  meeting.load.offset = load.at.offset;
  const auto is_left_out = [&](const Touch& touch, std::size_t i) {
    const std::size_t first = touch.extents.size() - touch.inner.size();
    return i >= first && i < first + common;
  };
  for (std::size_t i = 0; i < store.extents.size(); ++i) {
    if (!is_left_out(store, i)) meeting.store_along(store.at.strides[i], store.extents[i]);
  }
  for (std::size_t i = 0; i < load.extents.size(); ++i) {
    if (!is_left_out(load, i)) meeting.load_along(load.at.strides[i], load.extents[i]);
  }
  for (std::size_t d = 0; d + 1 < repeats_.size(); ++d) {
    meeting.both_along(load.outer[d], store.outer[d], repeats_[d]);
  }
  return meeting;
}

// The store in round t and the load in round t + 1 + e.
bool RepeatAccesses::may_read_of_earlier(const Touch& load, const Touch& store) const {
  const BufferId read = load.access->buffer, written = store.access->buffer;
  // Places in the arena are taken from other buffers: that is for those who look at places to see.
  if (read != written) {
    const Buffer& place = plan_.buffers[read];
    return place.space != Space::arena && share_bytes(place, plan_.buffers[written], plan_.max_batch);
  }
  const std::int64_t later = repeats_.back() - 1;
  if (later == 0) return false;
  if (store.stride == 0 && store.replaces && is_done_before(store, load)) return false;
  Meeting meeting = this->meeting(load, store, 0);
  meeting.load_along(load.stride, later);
  meeting.both_along(load.stride, store.stride, later);
  meeting.load.offset += load.stride;
  return meeting.is_possible();
}

bool RepeatAccesses::is_done_before(const Touch& store, const Touch& load) const {
  if (store.place >= load.place) return false;
  const std::size_t first = store.extents.size() - store.inner.size();
  for (std::size_t level = 0; level < std::min(store.inner.size(), load.inner.size()); ++level) {
    if (store.inner[level] != load.inner[level]) break;
    // What every round of that repeat stores, this one has stored, too.
    if (store.at.strides[first + level] != 0 && may_find_later(load, store, level)) return false;
  }
  return true;
}

// The load in round r and the store in round r + 1 + e.
bool RepeatAccesses::may_find_later(const Touch& load, const Touch& store, std::size_t level) const {
  const std::size_t of_store = store.extents.size() - store.inner.size(),
                    of_load = load.extents.size() - load.inner.size();
  const std::int64_t later = store.extents[of_store + level] - 1;
  if (later == 0) return false;
  Meeting meeting = this->meeting(load, store, level + 1);
  for (std::size_t i = 0; i <= level; ++i) {
    const std::int64_t extent = i < level ? store.extents[of_store + i] : later;
    meeting.both_along(load.at.strides[of_load + i], store.at.strides[of_store + i], extent);
  }
  const std::int64_t stride = store.at.strides[of_store + level];
  meeting.store_along(stride, later);
  meeting.store.offset += stride;
  meeting.load_along(load.stride, repeats_.back());
  return meeting.is_possible();
}

bool RepeatAccesses::is_whole_buffer(const Touch& store) const {
  if (!store.replaces || store.access->row != kNoValue) return false;
  std::vector<std::int64_t> extents;
  Linear at{{}, store.at.offset};
  const std::int64_t span = span_of(plan_.buffers[store.access->buffer], plan_.max_batch);
  std::int64_t points = 1;
  for (std::size_t i = 0; i < store.extents.size(); ++i) {
    if (store.at.strides[i] == 0) continue;
    at.strides.push_back(store.at.strides[i]);
    extents.push_back(store.extents[i]);
    if (store.extents[i] > span / points) return false;
    points *= store.extents[i];
  }
  return points == span && !may_meet_itself(at, extents);
}

bool RepeatAccesses::is_covered(const Touch& load) const {
  return std::any_of(touches_.begin(), touches_.end(), [&](const Touch& store) {
    return store.is_store && store.access->buffer == load.access->buffer && is_done_before(store, load) &&
           is_whole_buffer(store);
  });
}

std::set<BufferId> RepeatAccesses::read_of_earlier_rounds() const {
  std::set<BufferId> found;
  for (const Touch& load : touches_) {
    if (load.is_store || found.contains(load.access->buffer)) continue;
    const bool reads = std::any_of(touches_.begin(), touches_.end(), [&](const Touch& store) {
      return store.is_store && may_read_of_earlier(load, store);
    });
    if (reads && !is_covered(load)) found.insert(load.access->buffer);
  }
  return found;
}

std::vector<std::pair<BufferId, BufferId>> RepeatAccesses::parts_in_use_elsewhere() const {
  std::set<BufferId> stored, in_parts;
  for (const Touch& touch : touches_) {
    if (!touch.is_store || plan_.buffers[touch.access->buffer].space != Space::arena) continue;
    stored.insert(touch.access->buffer);
    if (touch.stride != 0) in_parts.insert(touch.access->buffer);
  }
  std::vector<std::pair<BufferId, BufferId>> found;
  for (const BufferId part : in_parts) {
    for (const BufferId other : stored) {
      const bool shares = share_bytes(plan_.buffers[part], plan_.buffers[other], plan_.max_batch);
      if (other != part && shares) found.emplace_back(part, other);
    }
  }
  return found;
}

}  // namespace tarn
