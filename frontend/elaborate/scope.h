// Where names live: modules (files), environments (function bodies), and instances, the things that own parameters.
//
// A module holds the declarations of a file. An environment holds what the body of one call has assigned; blocks open
// none. An instance is a layer or lambda as a place in the model: its path begins the names of its parameters, and it
// remembers, by place in the source and occurrence within one application, which nested instance or variable was made
// there. So a second application, and the elaboration of another graph of the same model, find the same ones under the
// same names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "frontend/elaborate/values.h"
#include "frontend/prelude/prelude.h"

namespace tarn::elaboration {

// Whether a path names the tensor or layer or something around it: "enc" and "enc.kernel" both cover "enc.kernel".
bool covers(const std::string& path, const std::string& name);

// What `<-` may do to a name.
enum class Update : std::uint8_t { never, state, slot, weight };

struct Binding {
  Value value;
  // The tensor that the name stands for, where its value is read through the graph: states, slots, and `w` of an
  // optimizer.
  std::string tensor;
  Update update = Update::never;
};

class Environment {
 public:
  Environment(Environment* parent, Module* module) : parent_(parent), module_(module) {}

  // The binding of the nearest environment that has one, or nullptr. Names are views of the syntax tree, which outlives
  // this.
  Binding* find(std::string_view name);
  void set(std::string_view name, Binding binding) { bindings_[name] = std::move(binding); }
  Environment* parent() const { return parent_; }
  Module* module() const { return module_; }
  // Adds all names to candidates of "did you mean".
  void collect(std::vector<std::string>& names) const;

  // A lambda refers to it, so it must outlive the call.
  bool captured = false;

 private:
  Environment* parent_;
  Module* module_;
  std::unordered_map<std::string_view, Binding> bindings_;
};

struct Declaration {
  Module* module = nullptr;                 // the file that it stands in
  const ast::Function* function = nullptr;  // one of the two is set
  const ast::Const* constant = nullptr;
  const ast::Expression* overridden = nullptr;  // --set: in place of the constant's own value
  Span span;
  enum class State : std::uint8_t { untouched, underway, done } state = State::untouched;
  Value value;
  const PreludeStatement* unread = nullptr;  // where the above is to come from
  const Sources* sources = nullptr;

  // Takes what the statement declares; false where that is nothing with a name.
  bool take(const ast::Statement& statement);
};

struct Module {
  FileId file = 0;
  std::shared_ptr<const ast::File> tree;
  std::unordered_map<std::string_view, Declaration> declarations;
  // Modules whose declarations are seen here, first ones first; the prelude is the last of every file's.
  std::vector<Module*> visible;

  // The declaration of this module, or of one that it imports, read.
  Declaration* find(std::string_view name);
};

// A place in the source and how often it was met before in the same application.
struct Site {
  const void* place = nullptr;
  std::uint32_t occurrence = 0;
  friend bool operator==(const Site&, const Site&) = default;
};
struct SiteHash {
  std::size_t operator()(const Site& site) const { return std::hash<const void*>()(site.place) * 31 + site.occurrence; }
};

struct Instance {
  Instance* parent = nullptr;
  std::string base;                   // "dense": unnamed ones are called dense_1, dense_2, …
  std::string name;                   // "" until it is bound to a name or needed
  std::string path;                   // set with the name; "" for the model itself
  bool is_layer = false;              // rather than a lambda
  int depth = -1;                     // number of layers around it; -1 for the model itself
  std::optional<std::size_t> listed;  // its entry in Program::layers

  std::unordered_map<Site, std::unique_ptr<Instance>, SiteHash> children;
  std::unordered_map<Site, std::string, SiteHash> variables;
  std::unordered_set<std::string> used_names;
  std::unordered_map<std::string, int> last_number;

  // The name itself where it is free, else with _1, _2, … behind it.
  std::string claim(const std::string& wanted);
  // base_1, base_2, …
  std::string claim_numbered(const std::string& wanted);
  // Gives it its name if it has none: `wanted`, or a number behind `base` where `wanted` is empty.
  void assign_name(const std::string& wanted);
  // A name below it: "dense_1.kernel". It gets its own first if it has none.
  std::string path_of(const std::string& variable);
};

// One application of an instance: counts how often each place was met.
struct Activation {
  Instance* instance = nullptr;
  std::unordered_map<const void*, std::uint32_t> occurrences;

  Site meet(const void* place) { return {place, occurrences[place]++}; }
};

}  // namespace tarn::elaboration
