// Stores of kernel bodies, among them those that keep the old value where the new one is not finite. See bodies.h and
// passes/guarded_stores.h.
#include <algorithm>

#include "codegen/bodies.h"
#include "codegen/loops.h"

namespace tarn {

namespace {

// By lane, whether one of the values is NaN or infinite, as an i1. Multiplied by 0 these give NaN and all others 0, so
// that a chain of multiply-adds and one comparison look at all.
llvm::Value* emit_any_not_finite(const Emission& emission, llvm::IRBuilder<>& builder,
                                 const std::vector<llvm::Value*>& values) {
  const llvm::IRBuilderBase::FastMathFlagGuard flags(builder);
  builder.clearFastMathFlags();
  llvm::Value* any = nullptr;
  for (llvm::Type* const type : {builder.getFloatTy(), builder.getDoubleTy()}) {
    llvm::Value* sum = nullptr;
    for (llvm::Value* const value : values) {
      if (value->getType()->getScalarType() != type) continue;
      llvm::Constant* const zero = llvm::ConstantFP::get(value->getType(), 0);
      sum = sum == nullptr ? builder.CreateFMul(value, zero) : fused_multiply_add(emission, builder, value, zero, sum);
    }
    if (sum == nullptr) continue;
    llvm::Value* const is_nan = builder.CreateFCmpUNO(sum, sum);
    any = any == nullptr ? is_nan : builder.CreateOr(any, is_nan);
  }
  return any;
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

// What is not finite is rare: a branch that is never taken costs less than a choice for every value.
void BodyEmitter::keep_old_unless_finite(std::vector<llvm::Value*>& values) {
  std::vector<std::size_t> guarded;
  Carried news;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!body_.stores[i].guarded) continue;
    guarded.push_back(i);
    news.push_back(values[i]);
  }
  if (guarded.empty()) return;
  llvm::Value* bad = emit_any_not_finite(kernel_.emission, builder_, news);
  if (lanes_of(bad) > 1 && nest_.mask != nullptr) bad = builder_.CreateAnd(bad, nest_.mask);
  llvm::Value* const any = lanes_of(bad) > 1 ? builder_.CreateOrReduce(bad) : bad;
  const Carried kept = emit_if(
      builder_, any, news,
      [&](const Carried& found) {
        kernel_.raise_not_finite();
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
  if (address.others != nullptr) {
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
