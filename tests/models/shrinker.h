// Makes a model that fails smaller, as long as it fails in the same way with the same engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tarn::models {

using Answers = std::vector<std::uint32_t>;

// The smallest list found for which `fails` still holds, by leaving out parts of it and making its numbers smaller;
// `fails` is asked at most so often.
Answers shrink(Answers answers, const std::function<bool(const Answers&)>& fails, int most_questions = 4000);

}  // namespace tarn::models
