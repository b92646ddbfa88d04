#pragma once

#include "daemon/apply/stage.h"

namespace maildirsync::daemon {

// What is not done to a drained root, because it is its users'. Their fence is entered. The committer's thread alone.

/// A folder that a drained root has keeps its owner and modes.
bool is_there_for_a_drain(const StagedOperation& staged);

/// A message that the users of a drained root had, and took out of its folder, does not come back, though the agent has
/// forgotten that it gave it.
bool was_had(const StagedOperation& staged);

bool is_message_put(const StagedOperation& staged);

}  // namespace maildirsync::daemon
