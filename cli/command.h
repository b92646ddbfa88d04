#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/parser.h"

namespace maildirsync::cli {

/// What every command takes.
struct Options {
  std::string control;  ///< the socket; empty: the default one that exists
  bool json = false;
};

/// CONTRACT.md, "Commands"; `status` has a Nagios plugin's meanings for the same numbers.
constexpr int k_exit_done = 0;
constexpr int k_exit_incomplete = 1;
constexpr int k_exit_usage = 2;
constexpr int k_exit_unreachable = 3;

/// Runs a command whose arguments are parsed; gives its exit status.
using Run = std::function<int(const Options&)>;

/// Adds a command's own options to its parser.
using AddCommand = Run(Parser& command);

// A file each. A new command is its file, its name here, and its line in main.cpp's table.
AddCommand add_status, add_flush, add_verify, add_pause, add_resume, add_release, add_restore, add_disown,
    add_repair_index, add_drain, add_mirror, add_keygen, add_fingerprint;
AddCommand add_setup, add_pair;
AddCommand add_cutover, add_plan, add_reload;

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
