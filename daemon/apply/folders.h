#pragma once

#include <optional>
#include <string>

#include "common/os/result.h"
#include "common/os/sync_set.h"
#include "common/sync/operation.h"
#include "daemon/apply/tree.h"

namespace maildirsync::daemon {

/// Makes a directory if it is not there; `attributes` none: as the directory that it is in.
Result<DirectoryPtr> make_directory(const DirectoryPtr& parent, const std::string& name,
                                    const std::optional<sync::Attributes>& attributes, os::SyncSet& sync);

/// The transitions of folders, as transition() says them.
Result<> make_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync);
Result<> rename_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync);
Result<> remove_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync);

}  // namespace maildirsync::daemon
