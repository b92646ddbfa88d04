#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::cli {

/// Makes a directory and those above it, mode 0755; one that exists is left as it is.
Result<> make_directories(const std::string& path);

/// The output of a program, found by PATH and the system's folders of programs; nothing when it isn't there or fails.
std::optional<std::string> output_of(const std::vector<std::string>& command);

/// Runs a program with our own output and errors; its exit status, 127 when it isn't there.
int run_program(const std::vector<std::string>& command);

}  // namespace maildirsync::cli
