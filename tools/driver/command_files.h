// What a run of a command is made of, and what it makes: results never overwrite what they were made of, by whatever
// name, nor each other.
#pragma once

#include <string>
#include <vector>

#include "tools/driver/command.h"

namespace tarn {

class CommandFiles {
 public:
  // What the options themselves name: the model file, --data, --weights (else the weights beside the model file).
  explicit CommandFiles(const CommonOptions& options);

  // `what` follows "is": "the model file". Nothing for an empty path.
  void reads(const std::string& what, const std::string& path);
  // The data files of the model's blocks, and the files that it imports.
  void reads(const Program& program, const std::string& folder, const Sources& sources);

  // A result, by what the command line calls it. It may take the place of what is called `replaces`, as weights that
  // are trained further do.
  void writes(const std::string& option, const std::string& path, const std::string& replaces = "");

  // Asked before anything is read, and again when the program is known. Errors: "-o is the model file: 'm.tarn'".
  Status check() const;

 private:
  struct File {
    std::string what, path, replaces;
  };
  std::vector<File> read_, written_;
};

inline constexpr const char* kWeightsFile = "the weights file";
inline constexpr const char* kCheckpoint = "the checkpoint that is read";

// Whether the path is there and is no regular file: devices and pipes take anything, whatever their names end in.
bool is_device(const std::string& path);

// Whether two names lead to one regular file, which need not be there yet.
bool is_same_file(const std::string& one, const std::string& other);

}  // namespace tarn
