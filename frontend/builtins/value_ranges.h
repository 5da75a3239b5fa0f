// Which values the inputs may hold, as what reads them asks for: InputInfo::values.
#pragma once

#include "frontend/elaborate/elaborator.h"

namespace tarn::elaboration {

// Notes at the inputs that the value moves, converts or repeats elements of that these take the range. What is computed
// otherwise is nobody's data, and nothing is noted.
void limit_inputs(Elaborator& elaborator, NodeId node, const ValueRange& range);

}  // namespace tarn::elaboration
