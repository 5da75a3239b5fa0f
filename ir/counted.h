// Numbers of things, as messages say them.
#pragma once

#include <string>
#include <string_view>

namespace tarn {

// "1 column", "2 columns"; `plural` where an s does not make it: counted(2, "axis", "axes").
template <class Count>
std::string counted(Count count, std::string_view one, std::string_view plural = {}) {
  std::string text = std::to_string(count) + " ";
  if (count == 1) return text.append(one);
  return plural.empty() ? text.append(one) + "s" : text.append(plural);
}

// What is said of one thing and of several: "has" or "have".
template <class Count>
std::string_view agreeing(Count count, std::string_view one, std::string_view several) {
  return count == 1 ? one : several;
}

}  // namespace tarn
