#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace maildirsync::os {

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
