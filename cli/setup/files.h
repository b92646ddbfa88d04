#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::cli {

/// Makes a directory and those above it, mode 0755; one that exists is left as it is.
Result<> make_directories(const std::string& path);

/// Puts the text in place of the file at once and durably, keeping owner and mode of one that was there (else 0644).
/// `check` gets the path of the new file before it counts; its error leaves the old file in place.
Result<> replace_file(const std::string& path, std::string_view text,
                      const std::function<Result<>(const std::string& path)>& check = {});

/// The output of a program, found by PATH and the system's folders of programs; nothing when it isn't there or fails.
std::optional<std::string> output_of(const std::vector<std::string>& command);

/// What comes out of a pipe until its end; what is over 16 MiB is dropped.
std::string read_to_end(int fd);

/// Runs a program with our own output and errors; its exit status, 127 when it isn't there.
int run_program(const std::vector<std::string>& command);

}  // namespace maildirsync::cli
