// Words of Keras that Tarn has otherwise, for messages about names that are not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tarn::elaboration {

// Where a word stands: an expression, the arguments of a call, the lines of a train block.
enum class WordPlace : std::uint8_t { expression, argument, setting };

// The candidate that a word of Keras stands for: "batch_norm" for "BatchNormalization"; "" where there is none.
std::string name_for_keras(std::string_view word, const std::vector<std::string>& candidates);

// What to write in its place, where that is no other name: "; the input says its shape: input x[3]"; "" where nothing
// is known of it.
std::string advice_on_keras(std::string_view word, WordPlace place);

}  // namespace tarn::elaboration
