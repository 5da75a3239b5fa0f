// See cut_kernels.h.
#include "passes/planner/cut_kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "passes/tactics/vector_axis.h"

namespace tarn {
namespace {

// Of a kernel: reads and writes, counting lanes that are done one by one, and machine instructions, roughly.
struct Weight {
  std::int64_t accesses = 0, instructions = 0;
  void add(const Weight& other) {
    accesses += other.accesses;
    instructions += other.instructions;
  }
  bool is_much() const { return accesses > kCosts.cut_accesses || instructions > kCosts.cut_instructions; }
};

// A value of the body or of the tail.
struct Part {
  bool in_tail = false;
  ValueId id = 0;
};

class Cutter {
 public:
  Cutter(const KernelPlan& plan, const LoopKernel& whole, const Target& target)
      : plan_(plan),
        whole_(whole),
        target_(target),
        vector_axis_(best_vector_axis(whole, target, plan.max_batch).axis) {}

  // The pieces, in the order in which they run; none where the kernel stays whole.
  std::vector<LoopKernel> cut() {
    const Weight all = weight_of_whole();
    if (!all.is_much() || !may_be_cut()) return {};
    piece_of_[0].assign(whole_.body.values.size(), 0);
    piece_of_[1].assign(whole_.tail.values.size(), 0);
    stored_.assign(whole_.body.values.size(), {});
    for (const Store& store : whole_.body.stores) deliver(store, false);
    for (const Store& store : whole_.tail.stores) deliver(store, true);
    finish();
    const bool repeats_little = work_.instructions * 100 <= all.instructions * kCosts.cut_work &&
                                work_.accesses * 100 <= all.accesses * kCosts.cut_work;
    return pieces_.size() > 1 && repeats_little ? std::move(pieces_) : std::vector<LoopKernel>{};
  }

 private:
  const Body& body_of(bool in_tail) const { return in_tail ? whole_.tail : whole_.body; }

  Weight weight_of(const Access& access) const {
    const std::int64_t stride = whole_.axes.empty() ? 0 : access.at.strides[vector_axis_];
    const bool apart = access.row != kNoValue || (stride != 0 && stride != 1);
    if (!apart) return {1, 2};
    const std::int64_t lanes = target_.vector_bytes / 4;
    return target_.has_masks() ? Weight{1, 4} : Weight{lanes, 2 * lanes};
  }

  Weight weight_of(const Value& value) const {
    switch (value.kind) {
      case Value::Kind::operation:
        return {0, 2 * std::int64_t{info(value.op).cost}};
      case Value::Kind::load:
        return weight_of(value.access);
      case Value::Kind::draw:
        return {0, kCosts.draw_instructions};
      case Value::Kind::index:
      case Value::Kind::reduced:
        return {0, 2};
      case Value::Kind::constant:
      case Value::Kind::batch_size:
      case Value::Kind::product:
        return {};
    }
    return {};
  }

  Weight weight_of_whole() const {
    Weight weight;
    for (const Body* const body : {&whole_.body, &whole_.tail}) {
      for (const Value& value : body->values) weight.add(weight_of(value));
      for (const Store& store : body->stores) weight.add(weight_of(store.access));
    }
    return weight;
  }

  // Pieces run one after the other over all points: no store may meet what a later piece reads, and what goes into the
  // state, where new values of one point belong together, stays in one kernel.
  bool may_be_cut() const {
    std::vector<bool> read(plan_.buffers.size());
    for (const bool in_tail : {false, true}) {
      for (const Value& value : body_of(in_tail).values) {
        if (value.kind == Value::Kind::load) read[value.access.buffer] = true;
      }
    }
    const auto may_be_apart = [&](const Store& store) {
      const Space space = plan_.buffers[store.access.buffer].space;
      return !store.accumulate && store.access.row == kNoValue && !read[store.access.buffer] && space != Space::state &&
             space != Space::accumulators;
    };
    return std::ranges::all_of(whole_.body.stores, may_be_apart) &&
           std::ranges::all_of(whole_.tail.stores, may_be_apart) &&
           std::ranges::all_of(whole_.tail.stores, [&](const Store& store) { return needs_sum(store.value); });
  }

  bool needs_sum(ValueId id) const {
    std::vector<bool> needed(id + std::size_t{1});
    needed[id] = true;
    for (ValueId at = id + 1; at-- > 0;) {
      if (!needed[at]) continue;
      const Value& value = whole_.tail.values[at];
      if (value.kind == Value::Kind::reduced) return true;
      for (const ValueId operand : value.operands) needed[operand] = true;
    }
    return false;
  }

  // Where an earlier piece has put the value.
  const Access* stored_before(const Part& part) const {
    if (part.in_tail || stored_[part.id].piece == 0 || stored_[part.id].piece == piece_) return nullptr;
    return &stored_[part.id].access;
  }

  std::vector<Part> operands_of(const Part& part) const {
    std::vector<Part> operands;
    if (stored_before(part) != nullptr) return operands;
    const Value& value = body_of(part.in_tail).values[part.id];
    if (value.kind == Value::Kind::reduced) return {{false, whole_.reductions[value.reduction].value}};
    if (value.kind == Value::Kind::load && value.access.row != kNoValue) return {{part.in_tail, value.access.row}};
    for (const ValueId operand : value.operands) operands.push_back({part.in_tail, operand});
    return operands;
  }

  // What the store needs that the piece does not have; it is then counted as the piece's.
  std::vector<Part> need(const Part& stored) {
    std::vector<Part> fresh, left = {stored};
    while (!left.empty()) {
      const Part part = left.back();
      left.pop_back();
      std::uint32_t& piece = piece_of_[part.in_tail ? 1 : 0][part.id];
      if (piece == piece_) continue;
      piece = piece_;
      fresh.push_back(part);
      for (const Part& operand : operands_of(part)) left.push_back(operand);
    }
    return fresh;
  }

  Weight weight_with(const std::vector<Part>& fresh, const Store& store) const {
    Weight weight = weight_;
    weight.add(weight_of(store.access));
    for (const Part& part : fresh) {
      const Access* const known = stored_before(part);
      weight.add(known != nullptr ? weight_of(*known) : weight_of(body_of(part.in_tail).values[part.id]));
    }
    return weight;
  }

  // Adds the store to the piece at hand; where that would get too long, to a new one.
  void deliver(const Store& store, bool in_tail) {
    std::vector<Part> fresh = need({in_tail, store.value});
    if (weight_with(fresh, store).is_much() && !(stores_[0].empty() && stores_[1].empty())) {
      for (const Part& part : fresh) piece_of_[part.in_tail ? 1 : 0][part.id] = 0;
      finish();
      fresh = need({in_tail, store.value});
    }
    weight_ = weight_with(fresh, store);
    stores_[in_tail ? 1 : 0].push_back(&store);
    const Buffer& buffer = plan_.buffers[store.access.buffer];
    const bool reads_back = buffer.space == Space::arena && buffer.dtype == body_of(in_tail).values[store.value].dtype;
    if (!in_tail && reads_back && stored_[store.value].piece == 0) stored_[store.value] = {piece_, store.access};
  }

  // The values of the piece and its stores, by new numbers.
  Body body_of_piece(bool in_tail, std::vector<ValueId>& renamed) const {
    const Body& whole = body_of(in_tail);
    const std::vector<std::uint32_t>& piece_of = piece_of_[in_tail ? 1 : 0];
    Body body;
    renamed.assign(whole.values.size(), kNoValue);
    for (ValueId id = 0; id < whole.values.size(); ++id) {
      if (piece_of[id] != piece_) continue;
      Value value = whole.values[id];
      if (const Access* const known = stored_before({in_tail, id})) {
        Value load;
        load.kind = Value::Kind::load;
        load.dtype = value.dtype;
        load.access = *known;
        value = std::move(load);
      }
      for (ValueId& operand : value.operands) operand = renamed[operand];
      if (value.access.row != kNoValue) value.access.row = renamed[value.access.row];
      renamed[id] = static_cast<ValueId>(body.values.size());
      body.values.push_back(std::move(value));
    }
    for (const Store* const store : stores_[in_tail ? 1 : 0]) {
      body.stores.push_back(*store);
      body.stores.back().value = renamed[store->value];
    }
    return body;
  }

  // The sums that the tail of the piece needs, by new numbers there.
  std::vector<Reduction> sums_of_piece(const Body& body, Body& tail, const std::vector<ValueId>& renamed) const {
    std::vector<Reduction> sums;
    std::vector<std::uint32_t> number(whole_.reductions.size(), kNoValue);
    for (Value& value : tail.values) {
      if (value.kind != Value::Kind::reduced) continue;
      std::uint32_t& known = number[value.reduction];
      if (known == kNoValue) {
        known = static_cast<std::uint32_t>(sums.size());
        sums.push_back(whole_.reductions[value.reduction]);
        sums.back().value = renamed[sums.back().value];
        // A product that an earlier piece has stored is loaded.
        sums.back().multiply_add = sums.back().multiply_add && is_product_of_floats(body.values[sums.back().value]);
      }
      value.reduction = known;
    }
    return sums;
  }

  void finish() {
    LoopKernel& piece = pieces_.emplace_back();
    piece.axes = whole_.axes;
    piece.reduced = whole_.reduced;
    std::vector<ValueId> renamed, renamed_tail;
    piece.body = body_of_piece(false, renamed);
    piece.tail = body_of_piece(true, renamed_tail);
    piece.reductions = sums_of_piece(piece.body, piece.tail, renamed);
    if (piece.reductions.empty()) piece.reduced.assign(piece.axes.size(), false);
    work_.add(weight_);
    weight_ = {};
    stores_[0].clear();
    stores_[1].clear();
    ++piece_;
  }

  struct Stored {
    std::uint32_t piece = 0;
    Access access;
  };
  const KernelPlan& plan_;
  const LoopKernel& whole_;
  const Target& target_;
  const std::size_t vector_axis_;  // of the whole
  std::vector<LoopKernel> pieces_;
  // The piece at hand, by its number from 1 on.
  std::uint32_t piece_ = 1;
  Weight weight_;
  std::vector<const Store*> stores_[2];  // in the body, in the tail
  // By value of the body and of the tail: the last piece that has it.
  std::vector<std::uint32_t> piece_of_[2];
  std::vector<Stored> stored_;  // by value of the body
  Weight work_;                 // of all pieces
};

}  // namespace

void cut_kernels(KernelPlan& plan, const Target& target) {
  replace_loops(plan.kernels, [&](const Kernel& kernel, const LoopKernel& loop) {
    std::vector<Kernel> kernels;
    std::vector<LoopKernel> pieces = Cutter(plan, loop, target).cut();
    if (pieces.empty()) return kernels;
    plan.remarks.push_back(
        fmt::format("'{}' is cut into {} kernels: the code of one would be very long", kernel.name, pieces.size()));
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      kernels.push_back(
          {fmt::format("{}, {} of {}", kernel.name, i + 1, pieces.size()), std::move(pieces[i]), kernel.location});
    }
    return kernels;
  });
}

}  // namespace tarn
