#pragma once

#include <string>

#include "common/os/result.h"

namespace maildirsync::cli {

/// Gives `key` of [table] ("" for the top) a text as its value: where it stands, else in place of a line "#key = …" of
/// that table, else at the table's beginning. All other lines, comments and their order stay as they are: the edit is
/// proven by reading the result back, and one that would change anything else is refused (ErrorCode::config, with what
/// to write by hand). `file` is for messages only. Pure.
Result<std::string> set_text(const std::string& toml, const std::string& file, const std::string& table,
                             const std::string& key, const std::string& value);

}  // namespace maildirsync::cli
