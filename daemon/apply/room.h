#pragma once

#include <cstdint>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "daemon/owner/owner_map.h"

namespace maildirsync::daemon {

/// Whether a file of that size and owner could be written below a directory now: tried by a file without a name, so
/// that quotas and reserved blocks count as they will. no_space when not, with the operating system's word for it; any
/// other error is that of making the file. Blocks on files.
Result<> try_room(const os::Directory& directory, std::uint64_t bytes, const OwnerId& owner);

}  // namespace maildirsync::daemon
