#pragma once

#include <map>
#include <string>

#include "agent/scan/snapshot.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

/// The location of a path below an account: sync::path_of backwards. A folder's own path looks like that of a control
/// file.
sync::Location location_of(const std::string& path);

/// A total order of places, for maps.
bool location_less(const sync::Location& left, const sync::Location& right);

/// Control files by their place.
using Snapshots = std::map<sync::Location, Snapshot, bool (*)(const sync::Location&, const sync::Location&)>;

}  // namespace maildirsync::agent
