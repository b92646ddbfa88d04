#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>
#include <unistd.h>

#include "common/os/result.h"

namespace maildirsync::os {

/// A program to be run, and what it gets of ours: these descriptors and no others. No signal is blocked in it, and
/// SIGPIPE ends it, whatever this process does with its own.
struct Launch {
  static constexpr int k_nothing = -1;  ///< /dev/null

  std::vector<std::string> words;  ///< its name and its arguments
  std::string program;             ///< its file, when that is not its name; without a '/' it is looked for along PATH
  int input = k_nothing;
  int output = STDOUT_FILENO;
  int errors = STDERR_FILENO;
  int third = k_nothing;  ///< the descriptor that it has as 3; none when this is k_nothing

  std::optional<std::vector<std::string>> environment;  ///< "NAME=value"; ours when there is none
  std::vector<int> usual_signals;                       ///< that have their default effect in it, besides SIGPIPE
  bool leads_group = false;                             ///< it gets a process group of its own
};

/// Starts it; its number, of which somebody has to call wait_for(). Any thread.
Result<pid_t> start(Launch launch);

/// Waits until it has ended; the status as waitpid(2) gives it.
int wait_for(pid_t process);

struct ChildOutput {
  bool in_time = false;  ///< it ended by itself, and was not killed by anything
  int exit_status = 0;
  std::string text;  ///< its stdout; what is over 4 MiB is dropped
};

/// Runs a program, named by its absolute path, with nothing on its stdin, nowhere for its stderr, and an environment of
/// the C locale and the system's PATH alone; kills it after `patience`. Blocks. Any thread, also one with signals
/// blocked, whose mask the program does not get.
ChildOutput output_within(const std::vector<std::string>& command, std::chrono::milliseconds patience);

}  // namespace maildirsync::os
