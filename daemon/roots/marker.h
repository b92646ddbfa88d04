#pragma once

#include <string>

#include "common/os/directory.h"
#include "common/os/marker.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

using os::k_marker_name;
using os::Marker;

/// One that no other directory has. Fails where no random bytes can be had.
Result<Marker> new_marker();

/// Durable when it returns. Blocking, as all that follow.
Result<> write_marker(const os::Directory& root, const Marker& marker);
/// Only the one with that id.
Result<> remove_marker(const os::Directory& root, const std::string& id);

/// Whether nothing is in the root but what is ours, and lost+found.
Result<bool> is_empty_root(const os::Directory& root);

}  // namespace maildirsync::daemon
