// The folder of object files. See object_cache.h.
#include "runtime/session/object_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace tarn {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyLength = 64;
constexpr const char* kSuffix = ".o";

// What stands before the object in its file.
struct EntryHeader {
  std::array<char, 8> magic = {'T', 'a', 'r', 'n', 'o', 'b', 'j', '1'};
  std::array<char, kKeyLength> key = {};
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;
  friend bool operator==(const EntryHeader&, const EntryHeader&) = default;
};

EntryHeader header_of(const std::string& key, std::string_view object) {
  EntryHeader header;
  std::copy_n(key.begin(), std::min(key.size(), kKeyLength), header.key.begin());
  header.size = object.size();
  header.checksum = crc32_z(0, reinterpret_cast<const Bytef*>(object.data()), object.size());
  return header;
}

// A file descriptor that closes itself.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

  std::uint64_t size() const {
    struct stat status = {};
    return fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
  bool read_exactly(char* to, std::size_t count) const {
    while (count > 0) {
      const ssize_t done = read(descriptor_, to, count);
      if (done <= 0) return false;
      to += done;
      count -= static_cast<std::size_t>(done);
    }
    return true;
  }
  bool write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t done = write(descriptor_, bytes.data(), bytes.size());
      if (done <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    return true;
  }

 private:
  int descriptor_;
};

// Whether nobody but this user can have put files into the folder.
bool is_private(const std::string& folder) {
  struct stat status = {};
  return lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
         (status.st_mode & 077) == 0;
}

struct Entry {
  std::string path;
  std::uint64_t bytes = 0;
  timespec used = {};
};

// Entries of the folder, and files that writers left when they were killed.
std::vector<Entry> entries_of(const std::string& folder) {
  std::vector<Entry> entries;
  if (!is_private(folder)) return entries;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    const bool ours = name.size() >= kKeyLength + 2 && name.substr(kKeyLength, 2) == kSuffix;
    struct stat status = {};
    if (!ours || lstat(at->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    entries.push_back({at->path().string(), static_cast<std::uint64_t>(status.st_size), status.st_mtim});
  }
  return entries;
}

std::uint64_t total(const std::vector<Entry>& entries) {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries) bytes += entry.bytes;
  return bytes;
}

class ObjectCache : public ObjectStore {
 public:
  ObjectCache(std::string folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

  std::optional<std::string> find(const std::string& key) override {
    if (!is_private(folder_)) return std::nullopt;
    const File file(open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    EntryHeader header;
    const std::uint64_t size = file.is_open() ? file.size() : 0;
    if (size <= sizeof(header) || size > limit_) return std::nullopt;
    std::string object(size - sizeof(header), '\0');
    if (!file.read_exactly(reinterpret_cast<char*>(&header), sizeof(header)) ||
        !file.read_exactly(object.data(), object.size()) || header != header_of(key, object)) {
      return std::nullopt;
    }
    futimens(file.descriptor(), nullptr);  // used now
    return object;
  }

  void keep(const std::string& key, std::string_view object) override {
    const EntryHeader header = header_of(key, object);
    if (sizeof(header) + object.size() > limit_ / 4 || !make_folder()) return;
    std::string temporary = path_of(key) + ".XXXXXX";
    bool written = false;
    {
      const File file(mkostemp(temporary.data(), O_CLOEXEC));
      if (!file.is_open()) return;
      written = file.write_all({reinterpret_cast<const char*>(&header), sizeof(header)}) && file.write_all(object);
    }
    if (!written || std::rename(temporary.c_str(), path_of(key).c_str()) != 0) {
      unlink(temporary.c_str());
      return;
    }
    make_room();
  }

 private:
  std::string path_of(const std::string& key) const { return folder_ + "/" + key + kSuffix; }

  bool make_folder() const {
    std::error_code failed;
    fs::create_directories(fs::path(folder_).parent_path(), failed);
    if (failed) return false;
    mkdir(folder_.c_str(), 0700);
    return is_private(folder_);
  }

  void make_room() const {
    std::vector<Entry> entries = entries_of(folder_);
    std::uint64_t bytes = total(entries);
    if (bytes <= limit_) return;
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
    });
    for (const Entry& entry : entries) {
      if (bytes <= limit_ / 4 * 3) return;
      if (unlink(entry.path.c_str()) == 0) bytes -= entry.bytes;
    }
  }

  std::string folder_;
  std::uint64_t limit_;
};

}  // namespace

std::string object_cache_folder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/tarn";
  const char* const home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.cache/tarn" : "";
}

std::shared_ptr<ObjectStore> open_object_cache(std::string folder, std::uint64_t limit) {
  if (folder.empty()) return nullptr;
  return std::make_shared<ObjectCache>(std::move(folder), limit);
}

ObjectCacheUse object_cache_use(const std::string& folder) {
  const std::vector<Entry> entries = entries_of(folder);
  return {entries.size(), total(entries)};
}

ObjectCacheUse clear_object_cache(const std::string& folder) {
  ObjectCacheUse removed;
  for (const Entry& entry : entries_of(folder)) {
    if (unlink(entry.path.c_str()) != 0) continue;
    ++removed.entries;
    removed.bytes += entry.bytes;
  }
  return removed;
}

}  // namespace tarn
