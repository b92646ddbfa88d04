#pragma once

#include <vector>

#include "agent/look/look.h"
#include "agent/turn/turn.h"

namespace maildirsync::agent {

// Whether a turn may take away what its plan does. On a lane's thread; what was decided is in the turn's report. Each
// is true when the account must be held: then nothing is sent.

/// Whether a file system within the account came or went: an archive disk that is not mounted looks like mail that was
/// deleted, however little it is.
bool brakes_for_mounts(Turn& turn, State& state, const Look& looked, const std::vector<sync::Operation>& operations);

/// What is taken away goes, to the trash or not; or waits, so that a mass deletion is seen as a whole, and leaves
/// `operations`; or holds the account.
bool brakes_for_removals(Turn& turn, State& state, const Look& looked, std::vector<sync::Operation>& operations);

}  // namespace maildirsync::agent
