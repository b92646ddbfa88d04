#pragma once

#include <string>
#include <vector>

#include "cli/report/fields.h"

namespace maildirsync::cli {

// Why a cutover must not begin, as a sentence with what to do; "" when nothing is in its way. Pure.

/// The state of the agent and of the roots that the cutover is about, by its status. With `accounts`, only these of the
/// roots: another one that is held is in no way.
std::string obstacle(const Json& status, const std::vector<std::string>& roots,
                     const std::vector<std::string>& accounts = {});

/// A problem of these roots, or of all, that stands in the status: mail that is missing, or that users would see wrong.
std::string standing_problem(const Json& status, const std::vector<std::string>& roots,
                             const std::vector<std::string>& accounts = {});

/// The window is too short for what has to be done in it; seconds, a window of 0 has no end.
std::string too_short(double flush_seconds, double verify_seconds, double window_seconds);

}  // namespace maildirsync::cli
