#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <sys/stat.h>

#include "agent/scan/entry.h"
#include "common/os/directory.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// What a name in a folder is to the mirror: an entry, or a problem. Neither when it went at this moment.
struct FileEntry {
  std::optional<sync::Entry> entry;
  std::optional<ScanProblem> problem;
  std::size_t acls = 0;  ///< 1 when it has an ACL, which does not come along
};

/// A file is one, and a symbolic link that stays in the account. `folder` is below the account, and `directory` its
/// directory of that area.
FileEntry file_entry(const os::Directory& directory, const std::string& folder, sync::Area area,
                     const std::string& name, const struct stat& status);

}  // namespace maildirsync::agent
