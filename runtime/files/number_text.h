// Numbers in text, as data files and command lines write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tarn {

// Without the blanks (spaces, tabs) at both ends.
std::string_view without_blanks(std::string_view text);

// The number that all of `text` but blanks around it is, correctly rounded: 5, -.5, +1.5, 1e-5, inf, nan, infinity in
// any case. Beyond the range of double it is an infinity or zero. Nothing if it is no number.
std::optional<double> parse_number(std::string_view text);

// The start of `text`, cut at 40 bytes between characters, with control characters shown as spaces: for messages about
// it.
std::string excerpt(std::string_view text);

}  // namespace tarn
