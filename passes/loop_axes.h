// The axes of a finished loop kernel: merged where all accesses allow, and one of them chosen for vectors.
#pragma once

#include "passes/kernel_plan.h"

namespace tarn {

// Calls visit(Linear&) for every affine function of the axes in a body.
template <class BodyType, class Visit>
void for_each_linear(BodyType& body, Visit visit) {
  for (auto& value : body.values) {
    switch (value.kind) {
      case Value::Kind::load:
        visit(value.access.at);
        break;
      case Value::Kind::index:
        visit(value.linear);
        break;
      case Value::Kind::draw:
        visit(value.linear);
        visit(value.sample);
        break;
      case Value::Kind::operation:
      case Value::Kind::constant:
      case Value::Kind::batch_size:
      case Value::Kind::product:
      case Value::Kind::reduced:
        break;
    }
  }
  for (auto& store : body.stores) visit(store.access.at);
}

// Merges neighbouring axes and sets vector_axis. Depends on shapes, accesses and the vector length only.
void finish_loop(LoopKernel& kernel, const Target& target, std::int64_t max_batch);

}  // namespace tarn
