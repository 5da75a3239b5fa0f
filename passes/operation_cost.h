// What an elementwise operation costs.
#pragma once

#include "ir/op.h"

namespace tarn {

// Of an element, in additions.
int cost_of(Op op);

}  // namespace tarn
