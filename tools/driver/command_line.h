// The words of a command line: which commands there are, what each word sets and what it may be. CLI11 reads them;
// command_line.cpp alone sees its headers, which take ten seconds to compile in each file that reads them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tarn {

// One word of a command, with the value behind it.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option* option) : option_(option) {}

  CommandOption& required();
  CommandOption& one_of(const std::vector<std::string>& values);
  // Ends included; the type is that of the variable.
  CommandOption& between(int least, int most);
  CommandOption& between(std::uint64_t least, std::uint64_t most);
  CommandOption& between(double least, double most);
  // A whole number from there on.
  CommandOption& at_least(std::int64_t least);
  // Its text is not empty, as that of a variable of the shell may be.
  CommandOption& names_a_file();
  // Each --name takes one value, so that FILE may stand behind it; the word may be repeated.
  CommandOption& one_value_each();
  // Several values in one word: a,b,c.
  CommandOption& separated_by_commas();
  // The word may stand without a value; what it sets is then the empty text.
  CommandOption& value_may_be_missing();
  // The word is an error without this one.
  CommandOption& needs(const CommandOption& other);

 private:
  CLI::Option* option_;
};

// What an option may set. Optional ones stay empty where the word is not there.
using OptionVariable =
    std::variant<std::string*, std::vector<std::string>*, std::optional<std::string>*, int*, std::int64_t*, double*,
                 std::optional<std::int64_t>*, std::optional<std::uint64_t>*, std::vector<std::uint64_t>*>;

class Command {
 public:
  Command(CLI::App* app, std::function<int()>* chosen) : app_(app), chosen_(chosen) {}

  // Names as CLI11 writes them: "--flag", "-o,--output", or "FILE" for a word by its position.
  void flag(const std::string& names, bool& set, const std::string& help);
  CommandOption option(const std::string& names, OptionVariable set, const std::string& help);
  // What to do when the command is chosen; gives the exit status.
  void runs(std::function<int()> action);

 private:
  CLI::App* app_;
  std::function<int()>* chosen_;
};

// The command line of a program whose first word says what it does.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& help, std::function<std::string()> version);
  ~CommandLine();

  Command command(const std::string& name, const std::string& help);
  // Reads the words and runs the command that they choose; the exit status. Words that mean nothing are an error
  // (kUsage), with the nearest command where the first is none.
  int run(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
  std::function<int()> chosen_;
};

}  // namespace tarn
