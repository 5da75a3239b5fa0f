// `tarn cache`: what native code is kept on disk, and how to be rid of it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/session/object_cache.h"
#include "tools/driver/command.h"

namespace tarn {

namespace {

struct CacheOptions : CommonOptions {
  bool clear = false;
};

int cache(const CacheOptions& options) {
  const Console console(options);
  const std::string folder = object_cache_folder();
  const ObjectCacheUse use = options.clear ? clear_object_cache(folder) : object_cache_use(folder);
  if (console.json()) {
    console.event({{"event", options.clear ? "cleared" : "cache"},
                   {"folder", folder},
                   {"entries", use.entries},
                   {"bytes", use.bytes},
                   {"limit", kObjectCacheLimit}});
  } else {
    print_out("{}{} entries, {:.1f} kB{}\n", folder.empty() ? "no folder: " : folder + ": ", use.entries,
              static_cast<double>(use.bytes) / 1e3,
              options.clear ? " removed" : fmt::format(" of at most {} MiB", kObjectCacheLimit >> 20));
  }
  return kDone;
}

}  // namespace

void add_cache(CommandLine& line) {
  auto options = std::make_shared<CacheOptions>();
  Command command = line.command("cache", "the native code that is kept on disk to start faster");
  command.flag("--clear", options->clear, "remove it");
  command.flag("--json", options->json, "results as JSON, one object a line");
  command.runs([options] { return cache(*options); });
}

}  // namespace tarn
