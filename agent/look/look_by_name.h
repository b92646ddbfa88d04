#pragma once

#include "agent/look/both_sides.h"

namespace maildirsync::agent {

/// Looks at the names that events told of, and lists folders that must be listed: TurnOrder::work without a walk.
/// `sides` has the state's folders.
Result<Structure> look_by_name(const TurnOrder& order, State& state, BothSides& sides, const os::Directory& account);

}  // namespace maildirsync::agent
