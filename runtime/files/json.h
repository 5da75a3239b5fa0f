// The parser of JSON, which is compiled once: each of its instances takes a compiler seconds.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace tarn {

// Discarded (`is_discarded()`) where the text is no JSON.
nlohmann::json parse_json(std::string_view text);

// Hands the parts of the text to `reader`, until that refuses one: then, and where the text is no JSON, false.
bool read_json_parts(std::string_view text, nlohmann::json_sax<nlohmann::json>& reader);

}  // namespace tarn
