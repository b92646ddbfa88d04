#pragma once

#include "common/os/directory.h"
#include "common/os/kept_times.h"

namespace maildirsync::daemon {

/// Which times the file system of a directory keeps; measured once for each. What cannot be measured now (a full disk)
/// is taken to keep every time, and measured later. Any thread; blocks on files.
os::KeptTimes kept_times(const os::Directory& directory);

}  // namespace maildirsync::daemon
