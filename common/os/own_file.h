#pragma once

#include <string>

#include <sys/stat.h>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// Whether nobody but this process's user, or root, can have made that file: what lies in a directory into which others
/// write may be theirs.
bool is_own(const struct stat& status);

/// Opens a file of ours in such a directory: a regular one of one name, not a link, a fifo, or somebody else's, which
/// is `permission`. Does not wait.
Result<Fd> open_own(const Directory& directory, const std::string& name, int flags);

/// Makes one anew, mode 0600, in the place of whatever has the name.
Result<Fd> create_own(const Directory& directory, const std::string& name, int flags);

}  // namespace maildirsync::os
