// Values, loads and stores of kernel bodies. See bodies.h.
#include "codegen/kernels/bodies.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "codegen/kernels/lane_accesses.h"
#include "codegen/kernels/random_numbers.h"
#include "codegen/kernels/scalar_emitters.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

namespace {

// The deepest level among the axes with a stride; -1: none.
int deepest_level(const Nest& nest, const Linear& linear) {
  int level = -1;
  for (std::size_t axis = 0; axis < linear.strides.size(); ++axis) {
    if (linear.strides[axis] != 0) level = std::max(level, nest.level_of_axis[axis]);
  }
  return level;
}

}  // namespace

BodyAnalysis analyze(const Body& body, const Nest& nest, const std::vector<ValueId>& extra, int result_level,
                     bool results_vary) {
  const std::size_t count = body.values.size();
  BodyAnalysis analysis{lane_values(body, nest.vector_axis, extra, results_vary), std::vector<int>(count, -1)};
  for (std::size_t i = 0; i < count; ++i) {
    const Value& value = body.values[i];
    int level = -1;
    const auto depends_on = [&](const Linear& linear) { level = std::max(level, deepest_level(nest, linear)); };
    switch (value.kind) {
      case Value::Kind::load:
        depends_on(value.access.at);
        for (const Bound& bound : value.access.bounds) depends_on(bound.index);
        break;
      case Value::Kind::index:
        depends_on(value.linear);
        break;
      case Value::Kind::draw:
        depends_on(value.linear);
        depends_on(value.sample);
        break;
      case Value::Kind::product:
      case Value::Kind::reduced:
        level = result_level;
        break;
      case Value::Kind::operation:
      case Value::Kind::constant:
      case Value::Kind::batch_size:
        break;
    }
    for (const ValueId operand : operands_of(value)) level = std::max(level, analysis.level[operand]);
    analysis.level[i] = level;
  }
  return analysis;
}

bool has_many_apart(const Body& body, const BodyAnalysis& analysis, int vector_axis) {
  const auto lies_apart = [&](const Access& access) {
    if (access.row != kNoValue && analysis.varying[access.row]) return true;
    return moves(access.at, vector_axis) && access.at.strides[static_cast<std::size_t>(vector_axis)] != 1;
  };
  std::ptrdiff_t count = std::count_if(body.stores.begin(), body.stores.end(),
                                       [&](const Store& store) { return lies_apart(store.access); });
  for (std::size_t i = 0; i < body.values.size(); ++i) {
    const Value& value = body.values[i];
    count += analysis.needed[i] && value.kind == Value::Kind::load && lies_apart(value.access) ? 1 : 0;
  }
  return count > kCosts.many_apart;
}

BodyEmitter::BodyEmitter(KernelFunction& kernel, const Body& body, Nest& nest, BodyAnalysis analysis)
    : kernel_(kernel),
      builder_(kernel.builder),
      body_(body),
      nest_(nest),
      analysis_(std::move(analysis)),
      values_(body.values.size()) {
  for (std::size_t i = 0; i < body.values.size(); ++i) {
    if (!analysis_.needed[i]) continue;
    const Value& value = body.values[i];
    if (value.kind == Value::Kind::load) {
      add_linear(value.access.at);
      for (const Bound& bound : value.access.bounds) add_linear(bound.index);
    }
    if (value.kind == Value::Kind::index) add_linear(value.linear);
    if (value.kind == Value::Kind::draw) {
      add_linear(value.linear);
      add_linear(value.sample);
    }
  }
  for (const Store& store : body.stores) add_linear(store.access.at);
  by_lane_ = nest.lanes > 1 && !kernel.emission.machine.target.has_masks() &&
             has_many_apart(body, analysis_, nest.vector_axis);
  sums_.assign(static_cast<std::size_t>(nest.depth) + 1, std::vector<llvm::Value*>(strides_.size(), nullptr));
  find_groups();
  find_widened();
}

void BodyEmitter::find_groups() {
  if (!kernel_.emission.machine.target.has_masks() || nest_.lanes < 2) return;
  const auto fits = [&](DType dtype) {
    const auto bytes = static_cast<std::int64_t>(size_of(dtype) * nest_.lanes);
    return dtype != DType::boolean && bytes <= kernel_.emission.machine.target.vector_bytes;
  };
  std::vector<const Access*> loads(body_.values.size(), nullptr), stores(body_.stores.size(), nullptr);
  for (std::size_t i = 0; i < loads.size(); ++i) {
    const Value& value = body_.values[i];
    const bool is_plain = value.kind == Value::Kind::load && value.access.bounds.empty();
    if (analysis_.needed[i] && is_plain && fits(value.dtype)) loads[i] = &value.access;
  }
  for (std::size_t i = 0; i < stores.size(); ++i) {
    const Store& store = body_.stores[i];
    if (!store.accumulate && fits(body_.values[store.value].dtype)) stores[i] = &store.access;
  }
  load_groups_ = row_groups(loads, nest_.vector_axis, nest_.lanes);
  store_groups_ = row_groups(stores, nest_.vector_axis, nest_.lanes);
  for (const RowGroup& group : load_groups_) {
    for (const auto& [distance, id] : group.members) group_of_load_[id] = &group;
  }
  for (const RowGroup& group : store_groups_) {
    for (const auto& [distance, number] : group.members) group_of_store_[number] = &group;
  }
}

void BodyEmitter::add_linear(const Linear& linear) {
  if (std::find(strides_.begin(), strides_.end(), linear.strides) == strides_.end()) strides_.push_back(linear.strides);
}

void BodyEmitter::emit_level(int level) {
  if (level >= 0) update_sums(level);
  for (std::size_t i = 0; i < body_.values.size(); ++i) {
    if (!analysis_.needed[i] || analysis_.level[i] != level) continue;
    const auto group = group_of_load_.find(static_cast<std::uint32_t>(i));
    if (group == group_of_load_.end()) {
      values_[i] = emit_value(body_.values[i], analysis_.varying[i]);
      if (is_widened_[i]) widened_[i] = widen(builder_, values_[i], nest_.lanes);
    } else if (group->second->begins_with(static_cast<std::uint32_t>(i))) {
      emit_load_group(*group->second);
    }
  }
}

void BodyEmitter::update_sums(int level) {
  const auto& outer = sums_[static_cast<std::size_t>(level)];
  auto& sums = sums_[static_cast<std::size_t>(level) + 1];
  sums = outer;
  const auto at = std::find(nest_.level_of_axis.begin(), nest_.level_of_axis.end(), level);
  if (at == nest_.level_of_axis.end()) return;
  const auto axis = static_cast<std::size_t>(at - nest_.level_of_axis.begin());
  llvm::Value* const index = nest_.index[axis];
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(index);
  if (constant != nullptr && constant->isZero()) return;
  for (std::size_t i = 0; i < strides_.size(); ++i) {
    const std::int64_t stride = axis < strides_[i].size() ? strides_[i][axis] : 0;
    if (stride != 0) sums[i] = multiply_add(builder_, index, stride, outer[i]);
  }
}

llvm::Value* BodyEmitter::vector(ValueId id) {
  return widened_[id] != nullptr ? widened_[id] : widen(builder_, values_[id], nest_.lanes);
}

void BodyEmitter::find_widened() {
  is_widened_.assign(body_.values.size(), false);
  widened_.assign(body_.values.size(), nullptr);
  if (nest_.lanes == 1) return;
  const auto use = [&](ValueId id, int level) {
    if (!analysis_.varying[id] && is_floating(body_.values[id].dtype) && analysis_.level[id] < level)
      is_widened_[id] = true;
  };
  for (std::size_t i = 0; i < body_.values.size(); ++i) {
    if (!analysis_.needed[i] || !analysis_.varying[i] || body_.values[i].kind != Value::Kind::operation) continue;
    for (const ValueId operand : body_.values[i].operands) use(operand, analysis_.level[i]);
  }
  for (const Store& store : body_.stores) use(store.value, nest_.depth - 1);
}

llvm::Value* BodyEmitter::emit_value(const Value& value, bool varying) {
  llvm::Type* const type = kernel_.emission.value_type(value.dtype);
  switch (value.kind) {
    case Value::Kind::operation:
      return emit_apply(value, varying);
    case Value::Kind::constant:
      if (value.dtype == DType::boolean) return builder_.getInt1(value.number != 0);
      if (value.dtype == DType::i32)
        return builder_.getInt32(static_cast<std::uint32_t>(static_cast<std::int64_t>(value.number)));
      return llvm::ConstantFP::get(type, value.number);
    case Value::Kind::load:
      if (!value.access.bounds.empty() && !nest_.within_bounds) {
        return emit_bounded_load(value.access, value.dtype, varying);
      }
      return emit_load(value.access, value.dtype);
    case Value::Kind::index:
      return emit_index(value.linear, value.dtype);
    case Value::Kind::batch_size:
      return value.dtype == DType::i32 ? builder_.CreateTrunc(kernel_.batch, type)
                                       : builder_.CreateSIToFP(kernel_.batch, type);
    case Value::Kind::draw:
      return emit_draw(value, varying);
    case Value::Kind::product:
    case Value::Kind::reduced:
      return result(value);
  }
  return nullptr;
}

llvm::Value* BodyEmitter::emit_apply(const Value& value, bool varying) {
  Operands operands;
  llvm::Value** const places[] = {&operands.a, &operands.b, &operands.c};
  for (std::size_t i = 0; i < value.operands.size(); ++i) {
    *places[i] = varying ? vector(value.operands[i]) : values_[value.operands[i]];
  }
  operands.operand = body_.values[value.operands.front()].dtype;
  operands.result = value.dtype;
  return emit_operation(kernel_.emission, builder_, value.op, operands);
}

llvm::Value* BodyEmitter::linear_index(const Linear& linear) {
  const auto at = std::find(strides_.begin(), strides_.end(), linear.strides) - strides_.begin();
  // The deepest level reached holds the whole sum; levels above the strides' own only repeat it.
  const int reached = deepest_level(nest_, linear) + 1;
  llvm::Value* const sum = sums_[static_cast<std::size_t>(reached)][static_cast<std::size_t>(at)];
  return sum == nullptr ? kernel_.integer(0) : sum;
}

std::int64_t BodyEmitter::vector_stride(const Linear& linear) const {
  return nest_.lanes > 1 && moves(linear, nest_.vector_axis)
             ? linear.strides[static_cast<std::size_t>(nest_.vector_axis)]
             : 0;
}

// <0, stride, 2 stride, …>
llvm::Value* BodyEmitter::lane_numbers(std::int64_t stride, bool wide) {
  std::vector<llvm::Constant*> numbers;
  for (unsigned lane = 0; lane < nest_.lanes; ++lane) {
    const auto number = static_cast<std::uint64_t>(stride * lane);
    numbers.push_back(wide ? builder_.getInt64(number) : builder_.getInt32(static_cast<std::uint32_t>(number)));
  }
  return llvm::ConstantVector::get(numbers);
}

llvm::Value* BodyEmitter::emit_index(const Linear& linear, DType dtype) {
  llvm::Value* first = builder_.CreateAdd(linear_index(linear), kernel_.integer(linear.offset));
  for (std::size_t repeat = 0; repeat < linear.repeat_strides.size(); ++repeat) {
    first = multiply_add(builder_, kernel_.round(repeat), linear.repeat_strides[repeat], first);
  }
  llvm::Value* number = builder_.CreateTrunc(first, builder_.getInt32Ty());
  if (const std::int64_t stride = vector_stride(linear); stride != 0) {
    number = builder_.CreateAdd(widen(builder_, number, nest_.lanes), lane_numbers(stride, false));
  }
  if (dtype == DType::i32) return number;
  return builder_.CreateSIToFP(number, with_lanes(kernel_.emission.value_type(dtype), lanes_of(number)));
}

llvm::Value* BodyEmitter::emit_draw(const Value& value, bool varying) {
  DrawArguments draw;
  draw.element = emit_index(value.linear, DType::i32);
  draw.sample = emit_index(value.sample, DType::i32);
  // A draw that is per step counts no samples: its sample moves along no axis.
  const auto& strides = value.sample.strides;
  if (std::any_of(strides.begin(), strides.end(), [](std::int64_t stride) { return stride != 0; })) {
    llvm::Value* const first = builder_.CreateTrunc(kernel_.frame_slot(kFrameFirstSample), builder_.getInt32Ty());
    draw.sample = builder_.CreateAdd(draw.sample, widen(builder_, first, lanes_of(draw.sample)));
  }
  const unsigned lanes = varying ? nest_.lanes : 1;
  draw.element = widen(builder_, draw.element, lanes);
  draw.sample = widen(builder_, draw.sample, lanes);
  draw.key = builder_.CreateXor(kernel_.frame_slot(kFrameKey), kernel_.stream(value.stream));
  draw.step = kernel_.frame_slot(kFrameStep);
  draw.dtype = value.dtype;
  switch (value.distribution) {
    case Distribution::uniform:
      return emit_uniform(kernel_, draw);
    case Distribution::normal:
      return emit_normal(kernel_, draw);
  }
  return nullptr;
}

BodyEmitter::Address BodyEmitter::address_of(const Access& access, DType dtype) {
  llvm::Type* const type = kernel_.emission.memory_type(dtype);
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  Address address;
  address.stride = vector_stride(access.at);
  llvm::Value* const base = element_address(builder_, type, kernel_.base(access, size), linear_index(access.at));
  address.first = byte_address(builder_, base, kernel_.offset(access, size));
  if (access.row != kNoValue) {
    llvm::Value* row = values_[access.row];
    llvm::Type* const row_type = row->getType();
    row = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, row, llvm::ConstantInt::get(row_type, 0));
    row = builder_.CreateBinaryIntrinsic(
        llvm::Intrinsic::smin, row,
        llvm::ConstantInt::get(row_type, static_cast<std::uint64_t>(std::max<std::int64_t>(access.row_limit - 1, 0))));
    llvm::Type* const wide = with_lanes(builder_.getInt64Ty(), lanes_of(row));
    llvm::Value* const distance = builder_.CreateMul(
        builder_.CreateZExt(row, wide), llvm::ConstantInt::get(wide, static_cast<std::uint64_t>(access.row_stride)));
    if (lanes_of(row) == 1) {
      address.first = element_address(builder_, type, address.first, distance);
    } else {
      address.others = builder_.CreateAdd(distance, lane_numbers(address.stride, true));
    }
  }
  if (address.others == nullptr && address.stride != 0 && address.stride != 1) {
    const bool wide = std::abs(address.stride) > std::numeric_limits<std::int32_t>::max() / 64;
    address.others = lane_numbers(address.stride, wide);
  }
  return address;
}

llvm::Value* BodyEmitter::emit_load(const Access& access, DType dtype) {
  llvm::Type* const type = kernel_.emission.memory_type(dtype);
  const llvm::Align align(size_of(dtype));
  const Address address = address_of(access, dtype);
  llvm::Value* loaded = nullptr;
  if (address.others != nullptr && by_lane_) {
    loaded = emit_load_by_lane(builder_, {type, address.first, address.others, nest_.mask});
  } else if (address.others != nullptr) {
    llvm::Type* const vector = with_lanes(type, nest_.lanes);
    loaded = builder_.CreateMaskedGather(vector, builder_.CreateGEP(type, address.first, address.others), align,
                                         nest_.mask, llvm::Constant::getNullValue(vector));
  } else if (address.stride == 0) {
    loaded = builder_.CreateAlignedLoad(type, address.first, align);
  } else if (nest_.mask != nullptr) {
    llvm::Type* const vector = with_lanes(type, nest_.lanes);
    loaded = builder_.CreateMaskedLoad(vector, address.first, align, nest_.mask, llvm::Constant::getNullValue(vector));
  } else {
    loaded = builder_.CreateAlignedLoad(with_lanes(type, nest_.lanes), address.first, align);
  }
  if (dtype != DType::boolean) return loaded;
  return builder_.CreateICmpNE(loaded, llvm::Constant::getNullValue(loaded->getType()));
}

RowAddresses BodyEmitter::rows_of(const Access& access, DType dtype) {
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  return {address_of(access, dtype).first, vector_stride(access.at) * size, nest_.mask};
}

void BodyEmitter::emit_load_group(const RowGroup& group) {
  const Value& first = body_.values[group.members.begin()->second];
  llvm::Type* const element = kernel_.emission.memory_type(first.dtype);
  const std::vector<llvm::Value*> columns =
      emit_load_rows(builder_, element, nest_.lanes, rows_of(first.access, first.dtype), group.columns());
  for (const auto& [distance, id] : group.members) values_[id] = columns[distance];
}

}  // namespace tarn
