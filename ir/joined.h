// Lists as texts show them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tarn {

// "a, b, c" with the separator ", ".
std::string joined(std::span<const std::string> parts, std::string_view separator);
std::string joined(std::span<const std::int64_t> numbers, std::string_view separator);
// "a, b and 3 more", where there are more than so many.
std::string first_joined(std::span<const std::string> parts, std::size_t most);

}  // namespace tarn
