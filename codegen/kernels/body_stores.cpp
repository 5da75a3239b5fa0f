// Stores of kernel bodies, among them those that keep the old value where the new one is not finite. See bodies.h and
// passes/plan/guarded_stores.h.
#include <algorithm>
#include <numeric>

#include "codegen/kernels/bodies.h"
#include "codegen/kernels/lane_accesses.h"
#include "codegen/kernels/loops.h"

namespace tarn {

namespace {

// Whether an operand that is not finite makes the value so: NaN or infinite.
bool passes_on(const Value& value, std::size_t operand) {
  if (value.kind != Value::Kind::operation || !is_floating(value.dtype)) return false;
  const OpInfo& row = info(value.op);
  return row.has(kShows) || (row.has(kShowsFirst) && operand == 0);
}

// Those of the values, by their numbers and in their order, to which the others pass on what is not finite: w of an
// optimizer that subtracts a step from it shows what became of m.
std::vector<ValueId> telling(const Body& body, std::vector<ValueId> values) {
  std::sort(values.begin(), values.end());
  std::vector<bool> shown(values.back() + std::size_t{1});
  std::vector<ValueId> result;
  for (ValueId id = values.back() + 1; id-- > 0;) {
    if (std::binary_search(values.begin(), values.end(), id) && !shown[id]) {
      shown[id] = true;
      result.insert(result.begin(), id);
    }
    if (!shown[id]) continue;
    const Value& value = body.values[id];
    for (std::size_t i = 0; i < value.operands.size(); ++i) {
      if (passes_on(value, i)) shown[value.operands[i]] = true;
    }
  }
  return result;
}

// +0 where all of the values, of one type, are finite, else NaN: x - x is so, and so is another value times that, and
// that added. Lanes of different values are looked at apart.
llvm::Value* emit_zero_or_nan(const Emission& emission, llvm::IRBuilder<>& builder,
                              const std::vector<llvm::Value*>& values) {
  llvm::Value* result = builder.CreateFSub(values.front(), values.front());
  for (std::size_t i = 1; i < values.size(); ++i) {
    result = fused_multiply_add(emission, builder, values[i], result, result);
  }
  return result;
}

// The values cut into registers.
std::vector<llvm::Value*> in_registers(const Emission& emission, llvm::IRBuilder<>& builder,
                                       std::vector<llvm::Value*> values) {
  const auto bytes = [](const llvm::Value* value) {
    return static_cast<std::int64_t>(lanes_of(value)) * value->getType()->getScalarSizeInBits() / 8;
  };
  while (lanes_of(values.front()) > 1 && bytes(values.front()) > emission.machine.target.vector_bytes) {
    std::vector<llvm::Value*> halves;
    for (llvm::Value* const value : values) {
      std::vector<int> lanes(lanes_of(value) / 2);
      std::iota(lanes.begin(), lanes.end(), 0);
      halves.push_back(builder.CreateShuffleVector(value, lanes));
      std::iota(lanes.begin(), lanes.end(), static_cast<int>(lanes.size()));
      halves.push_back(builder.CreateShuffleVector(value, lanes));
    }
    values = std::move(halves);
  }
  return values;
}

// The values of each type apart.
std::vector<std::vector<llvm::Value*>> by_type(const std::vector<llvm::Value*>& values) {
  std::vector<std::vector<llvm::Value*>> result;
  for (llvm::Value* const value : values) {
    const auto same = std::find_if(result.begin(), result.end(),
                                   [&](const auto& known) { return known.front()->getType() == value->getType(); });
    (same == result.end() ? result.emplace_back() : *same).push_back(value);
  }
  return result;
}

}  // namespace

void BodyEmitter::emit_stores() {
  std::vector<llvm::Value*> values = stored_values();
  keep_old_unless_finite(values);
  for (std::size_t i = 0; i < body_.stores.size(); ++i) {
    const auto group = group_of_store_.find(static_cast<std::uint32_t>(i));
    if (group == group_of_store_.end()) {
      emit_store(body_.stores[i], values[i]);
    } else if (group->second->begins_with(static_cast<std::uint32_t>(i))) {
      emit_store_group(*group->second, values);
    }
  }
}

std::vector<llvm::Value*> BodyEmitter::stored_values() {
  std::vector<llvm::Value*> values;
  for (const Store& store : body_.stores) {
    const bool row_varies = store.access.row != kNoValue && lanes_of(values_[store.access.row]) > 1;
    const bool one_element = vector_stride(store.access.at) == 0 && !row_varies;
    values.push_back(one_element ? values_[store.value] : vector(store.value));
    TARN_CHECK(!one_element || lanes_of(values.back()) == 1, "lanes side by side would store to one element");
  }
  return values;
}

// By lane, whether one of the values is not finite.
llvm::Value* BodyEmitter::not_finite_by_lane(const std::vector<llvm::Value*>& values) {
  llvm::Value* bad = nullptr;
  for (const auto& of_type : by_type(values)) {
    llvm::Value* const sum = emit_zero_or_nan(kernel_.emission, builder_, of_type);
    llvm::Value* const is_nan = builder_.CreateFCmpUNO(sum, sum);
    bad = bad == nullptr ? is_nan : builder_.CreateOr(bad, is_nan);
  }
  return lanes_of(bad) > 1 && nest_.mask != nullptr ? builder_.CreateAnd(bad, nest_.mask) : bad;
}

// Whether one of the values may be not finite in any lane: which, the rare case finds out.
llvm::Value* BodyEmitter::any_not_finite(const std::vector<llvm::Value*>& values) {
  if (nest_.mask != nullptr || lanes_of(values.front()) == 1) return any_lane(not_finite_by_lane(values));
  llvm::Value* any = nullptr;
  for (const auto& of_type : by_type(values)) {
    llvm::Value* const sum =
        emit_zero_or_nan(kernel_.emission, builder_, in_registers(kernel_.emission, builder_, of_type));
    llvm::Type* const bits = builder_.getIntNTy(static_cast<unsigned>(sum->getType()->getPrimitiveSizeInBits()));
    llvm::Value* const found =
        builder_.CreateICmpNE(builder_.CreateBitCast(sum, bits), llvm::ConstantInt::get(bits, 0));
    any = any == nullptr ? found : builder_.CreateOr(any, found);
  }
  return any;
}

llvm::Value* BodyEmitter::any_lane(llvm::Value* lanes) {
  return lanes_of(lanes) > 1 ? builder_.CreateOrReduce(lanes) : lanes;
}

// What is not finite is rare: a branch that is never taken costs less than a choice for every value.
void BodyEmitter::keep_old_unless_finite(std::vector<llvm::Value*>& values) {
  std::vector<std::size_t> guarded;
  std::vector<ValueId> ids;
  Carried news;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!body_.stores[i].guarded) continue;
    guarded.push_back(i);
    ids.push_back(body_.stores[i].value);
    news.push_back(values[i]);
  }
  if (guarded.empty()) return;
  const llvm::IRBuilderBase::FastMathFlagGuard flags(builder_);
  builder_.clearFastMathFlags();
  // Where rules of algebra are bent, a value need not pass on what it is made of.
  if (!kernel_.emission.machine.fast_math) ids = telling(body_, std::move(ids));
  std::vector<llvm::Value*> looked_at;
  for (const ValueId id : ids) looked_at.push_back(lanes_of(news.front()) > 1 ? vector(id) : values_[id]);
  const Carried kept = emit_if(
      builder_, any_not_finite(looked_at), news,
      [&](const Carried& found) {
        llvm::Value* const bad = not_finite_by_lane(looked_at);
        emit_if(builder_, any_lane(bad), {}, [&](const Carried&) {
          kernel_.raise_not_finite();
          return Carried{};
        });
        Carried chosen;
        for (std::size_t i = 0; i < found.size(); ++i) {
          chosen.push_back(builder_.CreateSelect(bad, old_value(guarded[i]), found[i]));
        }
        return chosen;
      },
      /*rarely=*/true);
  for (std::size_t i = 0; i < guarded.size(); ++i) values[guarded[i]] = kept[i];
}

llvm::Value* BodyEmitter::old_value(std::size_t store) {
  return emit_load(body_.stores[store].access, body_.values[body_.stores[store].value].dtype);
}

void BodyEmitter::emit_store(const Store& store, llvm::Value* value) {
  const DType dtype = body_.values[store.value].dtype;
  llvm::Type* const type = kernel_.emission.memory_type(dtype);
  const llvm::Align align(size_of(dtype));
  const Address address = address_of(store.access, dtype);
  const bool one_element = address.others == nullptr && address.stride == 0;
  if (store.accumulate) {
    llvm::Value* const old = emit_load(store.access, dtype);
    value = value->getType()->isFPOrFPVectorTy() ? builder_.CreateFAdd(old, value) : builder_.CreateAdd(old, value);
  }
  if (dtype == DType::boolean) value = builder_.CreateZExt(value, with_lanes(type, lanes_of(value)));
  if (address.others != nullptr && by_lane_ && nest_.mask == nullptr) {
    emit_store_by_lane(builder_, value, {type, address.first, address.others, nullptr});
  } else if (address.others != nullptr) {
    builder_.CreateMaskedScatter(value, builder_.CreateGEP(type, address.first, address.others), align, nest_.mask);
  } else if (one_element || nest_.mask == nullptr) {
    builder_.CreateAlignedStore(value, address.first, align);
  } else {
    builder_.CreateMaskedStore(value, address.first, align, nest_.mask);
  }
}

void BodyEmitter::emit_store_group(const RowGroup& group, const std::vector<llvm::Value*>& values) {
  const Store& first = body_.stores[group.members.begin()->second];
  std::vector<llvm::Value*> columns(nest_.lanes, nullptr);
  for (const auto& [distance, number] : group.members) columns[distance] = values[number];
  emit_store_rows(builder_, std::move(columns), rows_of(first.access, body_.values[first.value].dtype),
                  group.columns());
}

}  // namespace tarn
