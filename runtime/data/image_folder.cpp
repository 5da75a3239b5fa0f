// See image_folder.h.
#include "runtime/data/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "ir/counted.h"
#include "ir/data_formats.h"
#include "ir/joined.h"
#include "runtime/data/labels.h"
#include "runtime/files/file.h"

namespace tarn {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNamesListed = 5;
constexpr std::size_t kMostClassesListed = 20;

bool is_image_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return format_of_path(name) == &format_of_folders();
}

// What is directly in a folder, by name.
struct Entries {
  std::vector<std::string> folders, images, others;
};

// A link in a circle, or a folder that may not be entered.
Diagnostic unreadable(const std::string& path, const std::error_code& failed) {
  return system_error("read", path, failed.value());
}

Result<Entries> entries_of(const std::string& path) {
  Entries entries;
  std::error_code failed;
  fs::directory_iterator entry(path, failed);
  if (failed) return unreadable(path, failed);
  for (; entry != fs::directory_iterator(); entry.increment(failed)) {
    if (failed) break;
    const std::string name = entry->path().filename().string();
    std::error_code unknown;
    const fs::file_status status = fs::status(entry->path(), unknown);
    if (name.starts_with('.')) {
      entries.others.push_back(name);
    } else if (fs::is_directory(status)) {
      entries.folders.push_back(name);
    } else if (is_image_name(name)) {
      // A link that leads nowhere is a broken image: reading it says so.
      entries.images.push_back(name);
    } else if (unknown && unknown.value() != ENOENT) {
      return unreadable(entry->path().string(), unknown);
    } else {
      entries.others.push_back(name);
    }
  }
  if (failed) return unreadable(path, failed);
  for (std::vector<std::string>* names : {&entries.folders, &entries.images, &entries.others})
    std::ranges::sort(*names);
  return entries;
}

std::string in_folder(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

void add_files(ImageFolder& folder, const std::string& below, const std::vector<std::string>& names) {
  const std::size_t number = folder.sub_folders.empty() ? 0 : folder.sub_folders.size() - 1;
  for (const std::string& name : names) folder.files.push_back({in_folder(below, name), number});
}

void remark_on_others(ImageFolder& folder, const std::vector<std::string>& others) {
  if (others.empty()) return;
  folder.remarks.push_back(
      {Severity::note,
       {},
       fmt::format("{} in '{}' left out: .png, .jpg and .jpeg are read{}, here {} {}", counted(others.size(), "file"),
                   folder.path, folder.sub_folders.empty() ? "" : " in sub-folders",
                   agreeing(others.size(), "is", "are"), first_joined(others, kMostNamesListed)),
       {},
       {}});
}

Status add_sub_folders(ImageFolder& folder, const Entries& top, std::vector<std::string>& others) {
  // Beside folders of classes an image has no class.
  others.insert(others.end(), top.images.begin(), top.images.end());
  for (const std::string& name : top.folders) {
    TARN_TRY(const Entries inner, entries_of(in_folder(folder.path, name)));
    folder.sub_folders.push_back(name);
    add_files(folder, name, inner.images);
    for (const std::vector<std::string>* names : {&inner.folders, &inner.others}) {
      for (const std::string& other : *names) others.push_back(in_folder(name, other));
    }
    if (inner.images.empty())
      folder.remarks.push_back(warning_at({}, fmt::format("'{}' has no images", in_folder(folder.path, name))));
  }
  return Done{};
}

// One file instead of a folder.
Result<ImageFolder> lone_image(const std::string& path, bool with_classes) {
  if (with_classes) {
    return error(
        fmt::format("'{}' is a file, so that nothing says its class: a folder is wanted, with a sub-folder of "
                    "images for each class",
                    path));
  }
  const std::size_t slash = path.rfind('/');
  ImageFolder folder;
  folder.path = slash == std::string::npos ? "" : path.substr(0, std::max<std::size_t>(slash, 1));
  folder.files.push_back({slash == std::string::npos ? path : path.substr(slash + 1), 0});
  return folder;
}

// The number that a name is: without zeros in front.
std::optional<std::int64_t> number_of(const std::string& name) {
  constexpr std::size_t kMostDigits = 9;
  if (name.empty() || name.size() > kMostDigits || (name.size() > 1 && name.front() == '0')) return std::nullopt;
  if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return std::stoll(name);
}

// Numbers the sub-folders of a folder for one input.
class ClassNumbering {
 public:
  ClassNumbering(const ImageFolder& folder, const InputInfo& input, std::int64_t limit, Vocabularies& vocabularies)
      : folder_(folder),
        input_(input),
        limit_(limit),
        vocabularies_(vocabularies),
        known_(vocabularies.find(input.name)),
        used_(folder.sub_folders.size()) {
    for (const ImageFile& file : folder.files) used_[file.sub_folder] = true;
  }

  Result<std::vector<std::int64_t>> number() {
    if (known_ != nullptr && !known_->names.empty()) return by_names();
    const bool learns = vocabularies_.may_learn(input_.name);
    std::int64_t end = limit_ > 0 ? limit_ : kMostClasses;
    if (known_ != nullptr && limit_ == 0) end = known_->numbers;
    if (learns && limit_ == 0) end = count();
    if (const std::optional<std::size_t> at = first_that_is_no_class(end)) {
      if (!learns) return no_class(*at, end);
      return learn_names();
    }
    if (learns) vocabularies_.learn(input_.name, {{}, end});
    return std::move(numbers_);
  }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(folder_.sub_folders.size()); }
  std::string path_of(std::size_t sub_folder) const { return in_folder(folder_.path, folder_.sub_folders[sub_folder]); }

  // Folders without images may be called as they like.
  Result<std::vector<std::int64_t>> by_names() {
    const std::vector<std::string>& names = known_->names;
    for (std::size_t i = 0; i < folder_.sub_folders.size(); ++i) {
      const auto found = std::ranges::find(names, folder_.sub_folders[i]);
      if (found == names.end() && used_[i]) {
        return error(fmt::format("'{}': training did not see the class '{}'; it knows {}", path_of(i),
                                 folder_.sub_folders[i], first_joined(names, kMostClassesListed)));
      }
      numbers_.push_back(found - names.begin());
    }
    return std::move(numbers_);
  }

  std::optional<std::size_t> first_that_is_no_class(std::int64_t end) {
    numbers_.clear();
    for (std::size_t i = 0; i < folder_.sub_folders.size(); ++i) {
      const std::optional<std::int64_t> number = number_of(folder_.sub_folders[i]);
      const bool is_class = number && *number < end;
      if (!is_class && (used_[i] || vocabularies_.may_learn(input_.name))) return i;
      numbers_.push_back(number.value_or(0));
    }
    return std::nullopt;
  }

  Result<std::vector<std::int64_t>> learn_names() {
    if (limit_ > 0 && count() > limit_) {
      return error(fmt::format("'{}' has {} sub-folders, one a class, but '{}' is {} and takes {}: {}", folder_.path,
                               count(), input_.name, to_string(input_.type.shape), counted(limit_, "class", "classes"),
                               first_joined(folder_.sub_folders, kMostClassesListed)));
    }
    numbers_.clear();
    for (std::int64_t i = 0; i < count(); ++i) numbers_.push_back(i);
    vocabularies_.learn(input_.name, {folder_.sub_folders, 0});
    return std::move(numbers_);
  }

  Diagnostic no_class(std::size_t at, std::int64_t end) const {
    Diagnostic wrong = error(fmt::format("'{}': the name of the folder must be the number of a class{}", path_of(at),
                                         end < kMostClasses ? fmt::format(" from 0 to {}", end - 1) : ""));
    if (known_ == nullptr) {
      wrong.notes.push_back({{},
                             fmt::format("the weights do not name the classes of '{0}'; `tarn weights FILE --classes "
                                         "'{0}=[\"…\", \"…\"]'` gives them the names",
                                         input_.name)});
    }
    return wrong;
  }

  const ImageFolder& folder_;
  const InputInfo& input_;
  const std::int64_t limit_;
  Vocabularies& vocabularies_;
  const Vocabulary* const known_;
  std::vector<bool> used_;             // sub-folders with images
  std::vector<std::int64_t> numbers_;  // of the sub-folders
};

}  // namespace

std::string ImageFolder::path_of(const ImageFile& file) const { return in_folder(path, file.name); }

Result<ImageFolder> list_images(const std::string& path, bool with_classes) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() == fs::file_type::not_found) return system_error("read", path, ENOENT);
  if (failed) return unreadable(path, failed);
  if (!fs::is_directory(status)) return lone_image(path, with_classes);
  ImageFolder folder;
  // So that names stand behind it with one stroke.
  folder.path = path.substr(0, std::max<std::size_t>(path.find_last_not_of('/') + 1, 1));
  TARN_TRY(const Entries top, entries_of(path));
  std::vector<std::string> others = top.others;
  if (!top.folders.empty()) {
    TARN_RETURN_IF_ERROR(add_sub_folders(folder, top, others));
  } else if (with_classes) {
    return error(
        fmt::format("'{}' has no sub-folders, so that nothing says the class of its images: those of a class "
                    "stand in a sub-folder with its name",
                    path));
  } else {
    add_files(folder, "", top.images);
  }
  if (folder.files.empty()) return error(fmt::format("'{}' has no images: no .png, .jpg or .jpeg file", path));
  remark_on_others(folder, others);
  return folder;
}

Result<std::vector<std::int64_t>> classes_of_files(const ImageFolder& folder, const InputInfo& input,
                                                   const DataBinding& binding, Vocabularies& vocabularies) {
  TARN_TRY(const std::int64_t limit, class_limit(input, binding));
  TARN_TRY(const std::vector<std::int64_t> numbers, ClassNumbering(folder, input, limit, vocabularies).number());
  std::vector<std::int64_t> classes;
  classes.reserve(folder.files.size());
  for (const ImageFile& file : folder.files) classes.push_back(numbers[file.sub_folder]);
  return classes;
}

}  // namespace tarn
