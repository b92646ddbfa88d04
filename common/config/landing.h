#pragma once

#include "common/config/config.h"

namespace maildirsync::config {

/// Whether each root of the receiver has a directory of its own: not that of another root, of whichever peer, nor one
/// below or above it. Two agents, or two roots, in one directory would delete each other's mail, unless they never have
/// an account in common; where `shared = true` says so of both, they may. Links in the paths are followed, as far as
/// they are there. ErrorCode::config with a sentence that names both.
Result<> check_landing(const Receiver& receiver);

}  // namespace maildirsync::config
