// Whole files in and out through the POSIX calls, whose errors are precise. See file.h.
#include "runtime/files/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace tarn {
namespace {

// Closes a file descriptor at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }
  // Closes now; 0 or the errno value, which on some file systems is the first news of a full disk.
  int close() { return ::close(std::exchange(value_, -1)) == 0 ? 0 : errno; }

 private:
  int value_;
};

// Linux moves at most 2 GiB in one call.
constexpr std::size_t kLargestTransfer = std::size_t{1} << 30;
// First guess for the size of a pipe.
constexpr std::size_t kPipeChunk = std::size_t{1} << 16;

bool is_machine_failure(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return true;
    default:
      return false;
  }
}

Diagnostic directory_error(std::string_view path) {
  return error(fmt::format("'{}' is a directory, not a file", path));
}

// 0 or the errno value.
int write_all(int descriptor, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), std::min(bytes.size(), kLargestTransfer));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

int write_all(int descriptor, std::span<const ByteView> parts) {
  for (const ByteView part : parts) {
    if (const int failure = write_all(descriptor, part); failure != 0) return failure;
  }
  return 0;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Where symbolic links lead to from a file that exists.
std::string target_of(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr), &std::free);
  return resolved ? resolved.get() : path;
}

// A new file beside `path`, which is removed again unless `keep` was called.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) {
    static std::atomic<unsigned> counter = 0;
    // The name does not grow with that of the target, which may already be the longest allowed.
    for (int attempt = 0; attempt < 100; ++attempt) {
      name_ = fmt::format("{}/.tarn-{}-{}.tmp", folder_of(path), ::getpid(), counter++);
      descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ >= 0 || errno != EEXIST) break;
    }
    if (descriptor_ < 0) error_number_ = errno;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!kept_ && error_number_ == 0) ::unlink(name_.c_str());
  }
  const std::string& name() const { return name_; }
  int descriptor() const { return descriptor_; }
  int error_number() const { return error_number_; }
  void keep() { kept_ = true; }

 private:
  std::string name_;
  int descriptor_ = -1;
  int error_number_ = 0;
  bool kept_ = false;
};

// Makes the new directory entry durable. A file system that cannot sync folders has nothing more to offer, so this
// cannot fail.
void sync_folder(const std::string& path) {
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) ::fsync(folder.get());
}

// 0 or the errno value. `mode` is that of the file to be replaced, if there is one.
int replace_file(const std::string& path, std::span<const ByteView> parts, std::optional<mode_t> mode) {
  TemporaryFile temporary(path);
  if (temporary.error_number() != 0) return temporary.error_number();
  Descriptor descriptor(temporary.descriptor());
  if (const int failure = write_all(descriptor.get(), parts); failure != 0) return failure;
  if (mode && ::fchmod(descriptor.get(), *mode & 07777) != 0) return errno;
  if (::fsync(descriptor.get()) != 0) return errno;
  if (const int failure = descriptor.close(); failure != 0) return failure;
  if (::rename(temporary.name().c_str(), path.c_str()) != 0) return errno;
  temporary.keep();
  sync_folder(path);
  return 0;
}

int write_directly(const std::string& path, std::span<const ByteView> parts) {
  Descriptor descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!descriptor.valid()) return errno;
  if (const int failure = write_all(descriptor.get(), parts); failure != 0) return failure;
  return descriptor.close();
}

}  // namespace

Diagnostic system_error(std::string_view action, std::string_view path, int error_number) {
  Diagnostic diagnostic =
      error(fmt::format("cannot {} '{}': {}", action, path, std::generic_category().message(error_number)));
  diagnostic.machine = is_machine_failure(error_number);
  return diagnostic;
}

Diagnostic error_in_file(std::string_view file, std::uint64_t line, std::string_view message) {
  return error(line == 0 ? fmt::format("{}: {}", file, message) : fmt::format("{}:{}: {}", file, line, message));
}

Result<Bytes> read_file(const std::string& path, std::uint64_t limit) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.valid()) return system_error("read", path, errno);
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return system_error("read", path, errno);
  if (S_ISDIR(status.st_mode)) return directory_error(path);

  Bytes bytes;
  std::size_t filled = 0;
  if (S_ISREG(status.st_mode)) {
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > limit)
      return error_in_file(path, fmt::format("has {} bytes, more than the {} that are read", size, limit));
    bytes.reserve(static_cast<std::size_t>(size) + kSentinelRoom);
    bytes.resize(static_cast<std::size_t>(size));
  }
  while (true) {
    if (filled == bytes.size()) {
      // A regular file ends here as a rule: ask with a small buffer before growing a large one.
      std::byte probe[1];
      const ssize_t more = ::read(descriptor.get(), probe, 1);
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) return system_error("read", path, errno);
      if (more == 0) break;
      if (filled >= limit) return error_in_file(path, fmt::format("has more than the {} bytes that are read", limit));
      bytes.resize(std::min<std::uint64_t>(std::max(kPipeChunk, 2 * filled), limit));
      bytes[filled++] = probe[0];
      continue;
    }
    const ssize_t count =
        ::read(descriptor.get(), bytes.data() + filled, std::min(bytes.size() - filled, kLargestTransfer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("read", path, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

Status write_file(const std::string& path, std::span<const ByteView> parts) {
  std::string target = path;
  std::optional<mode_t> mode;
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return directory_error(path);
    if (!S_ISREG(status.st_mode)) {
      if (const int failure = write_directly(path, parts); failure != 0) return system_error("write", path, failure);
      return Done{};
    }
    // A file that may not be written is not to be replaced either, although its folder would allow it.
    if (::access(path.c_str(), W_OK) != 0) return system_error("write", path, errno);
    mode = status.st_mode;
    target = target_of(path);
  }
  if (const int failure = replace_file(target, parts, mode); failure != 0) return system_error("write", path, failure);
  return Done{};
}

Status can_be_written(const std::string& path) {
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return system_error("write", path, errno);
  if (exists && S_ISDIR(status.st_mode)) return system_error("write", path, EISDIR);
  if (exists && ::access(path.c_str(), W_OK) != 0) return system_error("write", path, errno);
  // What is no regular file is written directly; any other is replaced, in its folder.
  if (exists && !S_ISREG(status.st_mode)) return Done{};
  if (::access(folder_of(exists ? target_of(path) : path).c_str(), W_OK | X_OK) != 0)
    return system_error("write", path, errno);
  return Done{};
}

Status folder_can_be_made(const std::string& path) {
  // The nearest folder that is there must take a new one.
  std::filesystem::path nearest = std::filesystem::path(path) / "";
  while (::access(nearest.c_str(), W_OK | X_OK) != 0) {
    if (errno != ENOENT || nearest == ".") return system_error("write", path, errno);
    nearest = nearest.has_parent_path() ? nearest.parent_path() : ".";
  }
  return Done{};
}

Status write_file(const std::string& path, std::string_view text) {
  const ByteView part = view_of(text);
  return write_file(path, std::span(&part, 1));
}

}  // namespace tarn
