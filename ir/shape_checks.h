// What type rules and the rules of views ask of shapes and lists of axes. Failures carry messages without a position.
#pragma once

#include <string_view>
#include <vector>

#include "ir/attributes.h"
#include "ir/diagnostics.h"
#include "ir/type.h"

namespace tarn {

// Elements of one sample: the batch axis counts once.
std::int64_t count_of_sample(const Shape& shape);

Diagnostic needs_type();
// The axis of the samples stays where it is and whole.
Diagnostic batch_axis_moved(std::string_view what);

Status need_axis(std::int64_t axis, const Shape& shape);
Status need_rising_axes(const std::vector<std::int64_t>& axes, const Shape& shape);
Status need_one_for_each_axis(Key key, const std::vector<std::int64_t>& list, const Shape& shape);

}  // namespace tarn
