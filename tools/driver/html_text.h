// Text in pages.
#pragma once

#include <string>
#include <string_view>

namespace tarn {

// With what would be read as markup, in text and in attributes, written out.
std::string html_text(std::string_view text);

// The style of a page and of all that may stand on it, in light and in dark.
extern const char* const kPageStyle;

}  // namespace tarn
