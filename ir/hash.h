// Hashes of several values: attributes, nodes, locations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarn {

// Of what `hash` is of and the value behind it.
inline std::size_t hash_with(std::size_t hash, std::uint64_t value) {
  return hash ^ (static_cast<std::size_t>(value) + 0x9E3779B97F4A7C15ULL + (hash << 6U) + (hash >> 2U));
}

}  // namespace tarn
