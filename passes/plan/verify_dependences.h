// The part of the verifier that looks at which points of a kernel touch one element: points store apart, none reads
// what another one writes, and threads that share a kernel have elements of their own.
#pragma once

#include <vector>

#include "passes/plan/verification.h"

namespace tarn {

// What the two bodies of a kernel store, and what they read meanwhile: the tail's points are those of the axes that
// are not reduced.
void check_dependences(Verification& verification, const Body& body, const Body& tail, const std::vector<Extent>& axes,
                       const std::vector<bool>& reduced);
// A product reads all of its operands while it stores.
void check_operands_stay(Verification& verification, const ContractionKernel& kernel);

}  // namespace tarn
