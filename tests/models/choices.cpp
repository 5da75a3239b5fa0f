// See choices.h.
#include "tests/models/choices.h"

namespace tarn::models {

std::uint32_t Choices::below(std::size_t count) {
  if (count <= 1) return 0;
  std::uint32_t answer = 0;
  if (draws_) {
    answer = static_cast<std::uint32_t>(engine_() % count);
  } else if (answers_.size() < list_.size()) {
    answer = list_[answers_.size()] % static_cast<std::uint32_t>(count);
  }
  answers_.push_back(answer);
  return answer;
}

}  // namespace tarn::models
