#pragma once

#include <string>

#include "daemon/apply/aside.h"

namespace maildirsync::daemon {

// Copies whole files, which are on the disk before they get their names. For few files, because each is synced by
// itself.

/// A new file on the file system of `place`, in the way that is right for it.
Result<Aside> create_file(const DirectoryPtr& place);

/// Content, owner, mode and mtime of a file of another directory or file system, on that of `place`; without a name
/// yet.
Result<Aside> copy_of(const os::Directory& from, const std::string& name, const DirectoryPtr& place);

/// Gives it the name once its content is on the disk; `exists` when that is taken.
Result<> name_file(Aside& file, const os::Directory& place, const std::string& name);

}  // namespace maildirsync::daemon
