#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/os/result.h"

namespace maildirsync::os {

// Paths as text; relative ones lie below something, whose own path is "". See join() and is_confined() in directory.h.

/// "a/b/c" is {"a/b", "c"}; "c" is {"", "c"}.
std::pair<std::string, std::string> split_last(std::string_view path);
/// What holds it: of "a/b" "a", of "a" "".
std::string above(std::string_view path);

/// The directory that an ordinary path's file lies in: of "/a/b" "/a", of "/b" "/", of "b" ".".
std::string directory_of(std::string_view path);
/// Whether something has an ordinary path, at the end of all links.
bool exists(const std::string& path);
/// Makes the names in a directory, by its ordinary path, durable.
Result<> sync_directory(const std::string& path);

}  // namespace maildirsync::os
