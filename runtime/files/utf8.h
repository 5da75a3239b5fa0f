// Whether text is UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tarn {

// Where the first byte stands that does not belong to a well-formed UTF-8 sequence (Unicode 15, table 3-7: no overlong
// forms, no surrogates, nothing above U+10FFFF); nothing if all of `text` is well-formed.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

}  // namespace tarn
