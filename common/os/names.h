#pragma once

#include <cstdint>
#include <functional>

#include "common/os/directory.h"

namespace maildirsync::os {

/// Called for a name of a directory, which is there during the call only.
using TakeName = std::function<void(const char* name, std::uint64_t inode, unsigned char type)>;

/// Directory::list() one by one, in memory that does not grow with the directory.
Result<> for_each_name(const Directory& directory, const TakeName& take);

}  // namespace maildirsync::os
