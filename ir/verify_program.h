// What must hold of every program: names are unique and refer to things there are, types fit, `init` gives every tensor
// of the state its first value, and each graph delivers what a graph of its name does (ir/program.h).
#pragma once

#include "ir/program.h"

namespace tarn {

// Also of each graph, what verify(Graph) checks.
Status verify(const Program& program);

}  // namespace tarn
