#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "cli/cutover/record.h"
#include "cli/options.h"

namespace maildirsync::cli {

/// What a move needs to know of the configuration.
struct Move {
  std::vector<std::string> roots;  ///< to which the accounts belong now
  std::string to;                  ///< the drained root to which they will belong
  std::string list;                ///< the file that says so
};

/// `answer` is the agent's to `door`. `to` may be empty where there is one drained root only that it can be. The error
/// says what must be configured, or which account cannot be moved. Pure.
tl::expected<Move, std::string> plan_move(const Json& answer, const std::vector<std::string>& accounts,
                                          const std::string& to);

/// Writes the accounts of the order into the list of the drained root, has the agent read it, and waits until they are
/// there; or takes them out of it. "" or what went wrong; then the list is as it was, unless the agent has read it.
std::string join(const Options& options, const CutoverOrder& order, double timeout_seconds);
std::string leave(const Options& options, const CutoverOrder& order);

}  // namespace maildirsync::cli
