// Lists as texts show them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tarn {

// "a, b, c" with the separator ", ".
std::string joined(std::span<const std::string> parts, std::string_view separator);
std::string joined(std::span<const std::int64_t> numbers, std::string_view separator);

}  // namespace tarn
