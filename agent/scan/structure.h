#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/scan/entry.h"
#include "agent/scan/stamps.h"
#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// The folders of an account, without their entries, and the stamps that they had *before* they were listed.
struct StructureScan {
  sync::AccountManifest manifest;  ///< structure_whole unless a directory could not be read
  std::map<std::string, Stamps> stamps;
  std::map<std::string, std::uint64_t> mounts;  ///< of each folder: what is mounted at it (os::mounted_at), 0: nothing
  std::vector<ScanProblem> problems;
  std::size_t acls = 0;  ///< directories with an ACL, which does not come along
};

/// Called for each directory before it is listed (folder itself, cur, new) and for tmp: the place to watch it.
using OnDirectory = std::function<void(const os::Directory& directory, const std::string& folder, Part part)>;

/// Walks an account's directories (all but cur/, new/, tmp/ are folders; symbolic links are not followed, a loop cannot
/// arise). A folder that cannot be read is a problem and makes the structure not whole; the rest goes on. A missing
/// account gives a manifest with exists == false. cur/, new/ or tmp/ that are files are entries, not areas. A mailbox
/// that has one of these names (a directory of that name with cur/ in it) cannot be told from an area: it is a problem.
///
/// All modes, here and below, are those that stay right without POSIX ACLs (os::mode_without_acl).
StructureScan scan_structure(const os::Directory& root, const std::string& account, const OnDirectory& on_directory);

}  // namespace maildirsync::agent
