#pragma once

#include "common/os/result.h"
#include "common/os/sync_set.h"
#include "common/sync/operation.h"
#include "daemon/apply/tree.h"

namespace maildirsync::daemon {

/// The transitions of folders, as transition() says them.
Result<> make_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync);
Result<> rename_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync);
Result<> remove_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync);

}  // namespace maildirsync::daemon
