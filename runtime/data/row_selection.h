// Which data a command gets: of which block, from which files, in which order, with what left out. The one place that
// decides it.
#pragma once

#include <string>
#include <vector>

#include "ir/program.h"

namespace tarn {

// What rows are read for.
enum class Purpose : std::uint8_t { train, validate, evaluate, predict };

// What follows from the purpose.
struct RowPolicy {
  // The data blocks that are asked, in order: the first that the model has is read. What it does not say itself the
  // block without a name says.
  std::vector<std::string> parts;
  // Whether targets and sample weights are read beside the inputs.
  bool targets;
  // Whether `shuffle_rows` is obeyed: predictions come in the order of the file.
  bool shuffles;
  // For messages: "predictions take".
  const char* verb;
};
const RowPolicy& policy_of(Purpose purpose);

// A file asked for in place of those that the model names: `PATH` (name "") or `NAME=PATH`.
struct GivenFile {
  std::string name, path;
};
// NAME=PATH only where the text before '=' is a name.
GivenFile given_file(const std::string& text);

struct DataRequest {
  Purpose purpose = Purpose::train;
  std::vector<GivenFile> files;
  // How the files were given, for messages; "" where there is no such way.
  std::string option = "--data";
};

// The inputs and targets that are read, in the order of the program.
std::vector<const InputInfo*> wanted_inputs(const Program& program, Purpose purpose);

// The source that the request is about, with the given files in their places. Paths of the data blocks are relative to
// `folder`, and then to the folder that the program runs in. Errors: no data block and no file; a given file that
// nobody reads, or that stands for more than one array.
Result<DataSource> source_of(const Program& program, const std::string& folder, const DataRequest& request);

// Every data file that the model file itself names, as it is found from `folder`.
std::vector<std::string> files_of_data_blocks(const Program& program, const std::string& folder);

}  // namespace tarn
