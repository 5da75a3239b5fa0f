#include "tools/driver/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string_view>
#include <utility>

#include "ir/diagnostics.h"
#include "tools/driver/command.h"

namespace tarn {

CommandOption& CommandOption::required() {
  option_->required();
  return *this;
}

CommandOption& CommandOption::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

CommandOption& CommandOption::between(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

CommandOption& CommandOption::between(std::uint64_t least, std::uint64_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

CommandOption& CommandOption::between(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

CommandOption& CommandOption::at_least(std::int64_t least) {
  option_->check([least](const std::string& text) {
    std::int64_t value = 0;
    const bool is_number = CLI::detail::lexical_cast(text, value);
    return is_number && value >= least ? ""
                                       : fmt::format("a whole number from {} on is wanted, here is {}", least, text);
  });
  return *this;
}

CommandOption& CommandOption::names_a_file() {
  option_->check([](const std::string& text) { return text.empty() ? "the name of a file is empty" : ""; });
  return *this;
}

CommandOption& CommandOption::one_value_each() {
  option_->allow_extra_args(false);
  return *this;
}

CommandOption& CommandOption::separated_by_commas() {
  option_->delimiter(',');
  return *this;
}

CommandOption& CommandOption::value_may_be_missing() {
  option_->expected(0, 1);
  return *this;
}

CommandOption& CommandOption::needs(const CommandOption& other) {
  option_->needs(other.option_);
  return *this;
}

void Command::flag(const std::string& names, bool& set, const std::string& help) { app_->add_flag(names, set, help); }

CommandOption Command::option(const std::string& names, OptionVariable set, const std::string& help) {
  return CommandOption(std::visit([&](auto* variable) { return app_->add_option(names, *variable, help); }, set));
}

void Command::runs(std::function<int()> action) {
  app_->callback([chosen = chosen_, action = std::move(action)] { *chosen = action; });
}

CommandLine::CommandLine(const std::string& name, const std::string& help, std::function<std::string()> version)
    : app_(std::make_unique<CLI::App>(help, name)) {
  app_->set_version_flag("--version", std::move(version));
  app_->require_subcommand(1);
  app_->option_defaults()->always_capture_default();
}

CommandLine::~CommandLine() = default;

Command CommandLine::command(const std::string& name, const std::string& help) {
  return {app_->add_subcommand(name, help), &chosen_};
}

// CLI11 says only that a command is missing where the first word is none.
static std::string unknown_command(const CLI::App& app, std::string_view word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return "";
    names.push_back(command->get_name());
  }
  const auto nearest = nearest_name(word, names);
  return fmt::format("error: tarn has no command '{}'{}\n", word,
                     nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; tarn --help lists them");
}

int CommandLine::run(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app_->exit(help);
  } catch (const CLI::ParseError& error) {
    const std::string unknown = argc > 1 && argv[1][0] != '-' ? unknown_command(*app_, argv[1]) : "";
    if (!unknown.empty()) std::fputs(unknown.c_str(), stderr);
    if (unknown.empty()) app_->exit(error);
    return kUsage;
  }
  return chosen_();
}

}  // namespace tarn
