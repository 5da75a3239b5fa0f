// Lines of a data block that are of images alone: what they are made, and which input is which part of them.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "frontend/model.h"

namespace tarn::elaboration {

class ImageLines {
 public:
  static constexpr std::array<const char*, 3> kKeys = {"size", "channels", "skip_broken"};

  explicit ImageLines(Elaborator& elaborator) : e_(elaborator) {}

  // Takes the setting where its key is one of these; false: it is another.
  bool read(const ast::Setting& setting, ImageSettings& images);
  // What the block itself says is of its source: such settings, and parts that images have. All lines are read.
  void check(const DataSource& source) const;
  // What the block does not say, the base does.
  void inherit(ImageSettings& own, const ImageSettings& base) const;
  // Gives every input a binding: its line, or what its role says. Those in `attempted` have a line that is wrong.
  void complete(DataSource& source, const std::set<std::string>& attempted) const;

 private:
  void read_size(const ast::Setting& setting, ImageSettings& images);
  void read_channels(const ast::Setting& setting, ImageSettings& images);
  void read_skip_broken(const ast::Setting& setting, ImageSettings& images);

  Elaborator& e_;
  std::vector<const ast::Identifier*> keys_;  // as they stand in the block
  bool says_skip_broken_ = false;
};

}  // namespace tarn::elaboration
