#pragma once

#include <ctime>
#include <string>

#include "cli/report/fields.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

// What the agent's answer to `verify` says of drained roots: the mail that came to the old server after its users had
// moved. All pure.

/// One line for each drained root; "" when none is.
std::string drained_text(const Json& verified);

/// For how many seconds nothing has come to any of them, at `now`; less than 0 when none is drained.
double quiet_seconds(const Json& verified, std::time_t now);

/// Whether the old server can go: all that came is at the new one, and nothing came for so long.
bool is_safe(const Json& verified, std::time_t now, double wanted_quiet_seconds);

/// Each message, the domains, and the verdict.
std::string drain_report(const Json& verified, std::time_t now, double wanted_quiet_seconds, Colour colour);

}  // namespace maildirsync::cli
