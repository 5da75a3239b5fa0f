// A folder of images: which files are read, in which order, and of which class each is.
//
// A sub-folder is a class, and its name that of the class. Sub-folders are read in the order of their names, byte by
// byte, and files in each of them, too; what lies deeper is not looked for. Files whose names do not end as those of
// images do, and all whose names begin with a dot, are left out with a remark.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ir/program.h"
#include "runtime/data/vocabularies.h"

namespace tarn {

struct ImageFile {
  std::string name;            // as seen from the folder: "cat/1.png"
  std::size_t sub_folder = 0;  // its number in ImageFolder::sub_folders
};

struct ImageFolder {
  std::string path;
  std::vector<std::string> sub_folders;  // sorted; empty where files stand in the folder itself
  std::vector<ImageFile> files;
  Diagnostics remarks;

  std::string path_of(const ImageFile& file) const;
};

// What is in a folder. Where no classes are asked for, files may stand in the folder itself, and `path` may be one
// file. Errors: no such folder, no sub-folders where classes are asked for, no image at all, links that lead nowhere.
Result<ImageFolder> list_images(const std::string& path, bool with_classes);

// The class of each file. Names of sub-folders are labels: whole numbers from 0 up to the number of classes are their
// own class numbers; others are looked up in the vocabulary of the input or, where it may still learn, numbered in
// their order. Errors: a name that is not known, and one too many.
Result<std::vector<std::int64_t>> classes_of_files(const ImageFolder& folder, const InputInfo& input,
                                                   const DataBinding& binding, Vocabularies& vocabularies);

}  // namespace tarn
