// The declarations of the prelude as the generator uses them: by file and kind, with their parameters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tarn::models {

struct Parameter {
  std::string name;
  std::string initial;  // as written; empty: it must be given
};

struct Definition {
  std::string name, kind, file;
  std::vector<Parameter> parameters;  // of the first list
  bool is_configured = false;         // a second list follows: the first is a configuration

  std::size_t needed() const;
  const Parameter* find(std::string_view parameter) const;
};

// All of the prelude but its modules, in its order.
const std::vector<Definition>& prelude_definitions();
const Definition& definition(std::string_view name);
// Those of a file, as "activations", and a kind.
const std::vector<const Definition*>& definitions_in(std::string_view file, std::string_view kind);

// What the generator never writes, and why: names, and parameters of any definition.
struct LeftOut {
  std::string_view name, why;
};
const std::vector<LeftOut>& left_out_names();
const std::vector<LeftOut>& left_out_parameters();
bool is_left_out(const std::vector<LeftOut>& list, std::string_view name);

}  // namespace tarn::models
