// Native code kept on disk, so that a model compiled before starts at once.
//
// Contract: the folder belongs to the user alone (mode 0700, owner checked), since what is in it will be run. An entry
// arrives by rename and carries its key, its size and a checksum; what does not agree is not there. Any number of
// processes may use a folder at the same time. A cache that cannot work (no folder, a full disk) is an empty one: it is
// never an error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "codegen/native.h"

namespace tarn {

// When an entry makes the files of the folder exceed this, those not used for longest go until three quarters are left.
inline constexpr std::uint64_t kObjectCacheLimit = std::uint64_t{256} << 20;

// $XDG_CACHE_HOME/tarn, else ~/.cache/tarn; empty where neither is known.
std::string object_cache_folder();

std::shared_ptr<ObjectStore> open_object_cache(std::string folder, std::uint64_t limit = kObjectCacheLimit);

struct ObjectCacheUse {
  std::uint64_t entries = 0, bytes = 0;
};
ObjectCacheUse object_cache_use(const std::string& folder);
// Removes the entries, and no other file; what was there.
ObjectCacheUse clear_object_cache(const std::string& folder);

}  // namespace tarn
