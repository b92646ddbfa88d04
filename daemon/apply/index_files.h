#pragma once

#include <string_view>

#include "common/os/directory.h"

namespace maildirsync::daemon {

/// Dovecot's indexes of a folder, which are made anew from its messages and control files wherever they are missing.
bool is_index(std::string_view name);

/// Whether a folder holds an index that was written here, and not brought by a copy: a Dovecot has looked at the folder
/// while it is mirrored, and what it remembers of it may be wrong (messages that came after their uidlist count as
/// expunged for ever). A copy that keeps times gives a file an mtime older than its ctime; a writer gives both at once.
bool has_index_written_here(const os::Directory& folder);

/// Removes the folder's indexes, as far as it is possible.
void remove_indexes(const os::Directory& folder);

}  // namespace maildirsync::daemon
