// See joined.h. fmt::join does the same, and is compiled anew in each file that uses it.
#include "ir/joined.h"

namespace tarn {

namespace {

void append(std::string& text, const std::string& part) { text += part; }
void append(std::string& text, std::int64_t number) { text += std::to_string(number); }

template <class Part>
std::string join_all(std::span<const Part> parts, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += separator;
    append(text, parts[i]);
  }
  return text;
}

}  // namespace

std::string joined(std::span<const std::string> parts, std::string_view separator) {
  return join_all(parts, separator);
}

std::string joined(std::span<const std::int64_t> numbers, std::string_view separator) {
  return join_all(numbers, separator);
}

std::string first_joined(std::span<const std::string> parts, std::size_t most) {
  if (parts.size() <= most) return joined(parts, ", ");
  return joined(parts.first(most), ", ") + " and " + std::to_string(parts.size() - most) + " more";
}

}  // namespace tarn
