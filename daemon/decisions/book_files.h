#pragma once

#include <map>
#include <string>

#include "common/decisions/decision.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

// The receiver's own files of what was decided: one for each agent, in the state directory.

/// Its path: "decisions-" and the 64 hex digits of the agent's fingerprint.
std::string book_file(const std::string& state_dir, const std::string& fingerprint);

/// All that are there, by fingerprint. Damaged files are put aside and told in the log. Blocks.
Result<std::map<std::string, decisions::Book>> read_books(const std::string& state_dir);

}  // namespace maildirsync::daemon
