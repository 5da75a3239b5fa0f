// Golden files of passes and plans: in one file what goes in and, exactly, what comes out of it.
//
//   # The decision that the file shows, and why, in a sentence or two.
//   with batch 32, vectors 64                 what the test in question knows; may be missing
//   graph predict {
//     %x: f32[N,4] = input() {name = "x"}
//     ...
//   }
//   gives
//   kernel 0 ...
//
// Adding a golden is adding a file with all but its last part: TARN_UPDATE_GOLDEN=1 writes that anew in every file
// whose checks hold. Read what changed before committing it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ir/evaluator.h"
#include "ir/program.h"
#include "ir/text.h"

namespace tarn::testing {

// The names of the .txt files of a folder under tests, without the ending, sorted.
std::vector<std::string> golden_names(const std::string& folder);

struct Golden {
  std::filesystem::path path;
  std::string given;     // up to the line "gives", and with it
  std::string expected;  // what follows
  std::map<std::string, std::string, std::less<>> settings;
  NamedGraph graph;

  std::string setting(std::string_view key, const std::string& otherwise) const;
  std::int64_t number(std::string_view key, std::int64_t otherwise) const;
};

// Failures of the test where the file isn't as above, or has a setting that is none of `known`.
Golden read_golden(const std::string& folder, const std::string& name, const std::vector<std::string>& known);
// The text is what the file expects. Where goldens are to be updated and the test has not failed, the file is written.
void expect_golden(const Golden& golden, const std::string& text);

// Numbers from -1.5 to 1.5 that f32 holds, indices from 0 to 2 and booleans, for every input and tensor of the graph:
// for a batch, even where the graph is one of a sample.
EvaluationContext drawn_values(const Graph& graph, std::int64_t batch, std::uint64_t seed);

}  // namespace tarn::testing
