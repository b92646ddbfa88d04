#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"

namespace maildirsync::cli {

/// One option or argument of a command. Each call returns it again, for the next.
class Option {
 public:
  /// The placeholder for its value in the help.
  Option* type_name(const std::string& name);
  Option* required();
  /// `wrong` gives "" for a good value, or what is wrong with it.
  Option* check(std::function<std::string(const std::string& value)> wrong);
  Option* one_of(const std::vector<std::string>& values);
  /// Given twice, the last one counts.
  Option* take_last();
  /// Whether further words after it are its values too.
  Option* allow_extra_args(bool allow);
  /// The help shows the value that the variable has now.
  Option* capture_default_str();
  /// Not together with the other one.
  Option* excludes(Option* other);
  /// Only together with the other one.
  Option* needs(Option* other);

 private:
  friend class Parser;
  explicit Option(void* parsed) : parsed_(parsed) {}

  void* parsed_;  ///< a CLI::Option
};

/// What a command takes; arguments.cpp alone knows the library that reads it. Values are written to the variables once
/// the command line was read, and must live until then.
class Parser {
 public:
  explicit Parser(void* parsed) : parsed_(parsed) {}

  Option* add_option(const std::string& name, std::string& value, const std::string& about);
  Option* add_option(const std::string& name, double& value, const std::string& about);
  Option* add_option(const std::string& name, unsigned& value, const std::string& about);
  Option* add_option(const std::string& name, std::optional<double>& value, const std::string& about);
  Option* add_option(const std::string& name, std::vector<std::string>& values, const std::string& about);
  /// `--account GLOB`, of which an empty one, such as an empty variable of a script, is wrong and not all of them.
  Option* add_accounts(std::string& glob, const std::string& about = "only accounts that match");
  Option* add_flag(const std::string& name, bool& value, const std::string& about);
  /// After the options, in the help.
  void footer(const std::string& text);

 private:
  Option* keep(void* option);

  void* parsed_;  ///< a CLI::App
  std::deque<Option> options_;
};

/// Adds a command's own options to its parser.
using AddCommand = Run(Parser& command);

struct Command {
  const char* name;
  const char* about;
  AddCommand* add;
};

/// Reads the command line and runs the command that it names; gives the program's exit status.
int run_command_line(int argc, char** argv, const std::vector<Command>& commands);

// Checks of an option's value: "", or what is wrong.

/// A finite number of seconds, 0 or more.
std::string check_seconds(const std::string& text);
/// A glob that is not empty.
std::string check_glob(const std::string& text);

}  // namespace maildirsync::cli
