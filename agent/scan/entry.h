#pragma once

#include <cstddef>
#include <string>

#include <sys/stat.h>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// A file or folder that cannot be mirrored, for `problems`. `path` is below the account.
struct ScanProblem {
  ErrorCode code = ErrorCode::special_file;
  std::string path;
  std::string detail;
};

/// Of what has a name that is kept for maildirsync's own files, which no destination takes.
ScanProblem reserved_name(std::string path);

/// Where a symbolic link leads: only that is asked, nothing is opened. What may not be looked at counts as a directory,
/// because mail may lie there.
enum class Target : std::uint8_t { nothing, file, directory, other };
Target leads_to(const os::Directory& directory, const std::string& name);

/// Of what lies in a directory, "" for the directory itself; counts it if it has an ACL. The mode is the one that stays
/// right without it (os::mode_without_acl).
sync::Attributes attributes_of(const os::Directory& directory, const std::string& name, const struct stat& status,
                               std::size_t& acls);

/// Folders are not nested deeper.
inline constexpr int k_max_depth = 64;

/// Links are not followed.
bool has_directory(const os::Directory& directory, const std::string& path);

bool is_directory(const os::Directory& directory, const os::DirectoryEntry& entry);

/// The path of the first mailbox, a directory with cur/ in it, that `name` is or holds, however deep; "" for none. An
/// error for what cannot be looked into: nobody knows then.
Result<std::string> mailbox_in(const os::Directory& above, const std::string& name, int depth = 0);

}  // namespace maildirsync::agent
