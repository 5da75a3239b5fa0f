// The groups of movement_rules() that stand in files of their own.
#pragma once

#include <vector>

#include "passes/rules/rules.h"

namespace tarn {

// Movements and signs before and after reductions.
std::vector<Rule> reduction_structure_rules();
// Elementwise operations on broadcasts.
std::vector<Rule> elementwise_structure_rules();
// Transposes, extents of 1 and signs around products.
std::vector<Rule> contraction_structure_rules();

}  // namespace tarn
