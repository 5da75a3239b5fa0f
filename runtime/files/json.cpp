// See json.h.
#include "runtime/files/json.h"

namespace tarn {

nlohmann::json parse_json(std::string_view text) {
  return nlohmann::json::parse(text.data(), text.data() + text.size(), nullptr, false);
}

bool read_json_parts(std::string_view text, nlohmann::json_sax<nlohmann::json>& reader) {
  return nlohmann::json::sax_parse(text.data(), text.data() + text.size(), &reader);
}

}  // namespace tarn
