// Which number stands for which label: the names of the classes of inputs and targets; and which columns of a table an
// input was made of, where the data block gives the first and the last alone.
//
// Contract: vocabularies belong to weights, since a weight means a class only together with the number of that class.
// They stand beside the weights in a session and in every file of weights. Data may number labels only as long as the
// weights are the initial ones, and then once for each input; with weights that come from anywhere else the
// vocabularies are closed, and a label that they do not have is an error of whoever reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tarn {

// Of one input or target.
struct Vocabulary {
  std::vector<std::string> names;  // of the classes, by number; empty where labels are numbers of classes
  std::int64_t numbers = 0;        // without names: labels are numbers from 0 to numbers - 1
  bool operator==(const Vocabulary&) const = default;
};

class Vocabularies {
 public:
  using Map = std::map<std::string, Vocabulary, std::less<>>;
  using Columns = std::map<std::string, std::vector<std::string>, std::less<>>;

  // Open, with nothing in them: those of initial weights.
  Vocabularies() = default;
  // Closed: those of a file of weights, which may name nothing at all.
  static Vocabularies of_weights(Map known, Columns columns = {});

  // Null where nothing is known of the labels of the input.
  const Vocabulary* find(std::string_view input) const;
  // By number; empty where classes have no names.
  const std::vector<std::string>& names(std::string_view input) const;
  const Map& all() const { return known_; }

  // The names of the columns of an input whose binding has a range of names, as training found them between its ends;
  // null where nobody noted them. By these names they are found in other tables.
  const std::vector<std::string>* columns(std::string_view input) const;
  const Columns& all_columns() const { return columns_; }
  // Nothing where they are noted already, and where the vocabularies are closed.
  void note_columns(const std::string& input, std::vector<std::string> names);

  bool is_closed() const { return closed_; }
  void close() { closed_ = true; }
  // Whether data may say how labels of the input are numbered.
  bool may_learn(std::string_view input) const { return !closed_ && find(input) == nullptr; }
  // Only where they may.
  void learn(const std::string& input, Vocabulary vocabulary);

 private:
  Map known_;
  Columns columns_;
  bool closed_ = false;
};

// A label as unquoted text has it: numbers in one spelling, so that 5 and 5.0 are one label; other text without blanks
// around it. What begins with 0 as 007 does is a name, no number.
std::string unquoted_label(std::string_view text);

}  // namespace tarn
