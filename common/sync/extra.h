#pragma once

#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync {

/// What puts aside, at the destination, files and folders that only it has (Reconciled::extra): all with `to_trash`,
/// each as it was listed, folders after what is in them and those below them. Pure.
std::vector<Operation> removals_of_extra(const AccountManifest& listed, const std::vector<Location>& extra);

}  // namespace maildirsync::sync
