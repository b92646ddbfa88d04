#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/directory.h"
#include "common/sync/operation.h"

namespace maildirsync::daemon {

/// How a folder looks from outside, as one number: inodes and times of its directory, of cur/ and new/, and of the
/// control files that are written in place. Whoever adds, renames or removes something in it changes the number. A few
/// calls of stat(2), whatever the folder's size. docs/protocol.md has what the numbers mean to an agent.
using FolderLook = std::uint64_t;

/// Not known, or so young that another change could look the same: whole seconds are all that some file systems keep.
inline constexpr FolderLook k_look_unknown = 0;
/// There is no such folder.
inline constexpr FolderLook k_look_absent = 1;

FolderLook look_of(const os::Directory& folder);
/// Of a path below the root.
FolderLook look_at_folder(const os::Directory& root, const std::string& path);

/// The folders (below the account) whose look an operation changes.
struct TouchedFolder {
  std::string path;
  std::string was;  ///< where it was before the operation, if it moved; else `path`
};
std::vector<TouchedFolder> touched_folders(const sync::Operation& operation);

}  // namespace maildirsync::daemon
