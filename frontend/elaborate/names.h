// Which names are looked up where, and whose parameters are made: the environment and the instance at work.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "frontend/elaborate/scope.h"

namespace tarn::elaboration {

class NamesAtWork {
 public:
  // Makes a new environment the one at work, until it goes out of scope; where a lambda refers to it, it is kept beyond
  // that.
  class Inside {
   public:
    Inside(NamesAtWork& names, Environment* parent, Module* module);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    Environment& operator*() { return *own_; }
    Environment* operator->() { return own_.get(); }

   private:
    NamesAtWork& names_;
    Environment* before_;
    std::unique_ptr<Environment> own_;
  };

  // All names that mean something here, for messages.
  std::vector<std::string> visible() const;
  // "; functions and layers go by name, without quotes: relu" for a string that is the name of something.
  std::string without_quotes(const Value& value) const;

  // The instance at this place of the one at work.
  Instance* new_instance(const void* place, std::string base, bool is_layer);
  // Whether `freeze` names the layer at work, or one around it.
  bool is_frozen();

  Environment* environment = nullptr;
  Activation* activation = nullptr;  // the instance at work
  Instance root;                     // the model
  // What the train block freezes, by the paths as they stand there, and the layers that asked for `frozen` and are not.
  std::vector<std::string> frozen_paths;
  std::set<std::string> layers_not_frozen;

 private:
  std::vector<std::unique_ptr<Environment>> captured_;
};

}  // namespace tarn::elaboration
