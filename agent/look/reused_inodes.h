#pragma once

#include "common/os/directory.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// Reads the messages of `after` that may be ones that `before` has under another name, or new ones that were given
/// their inodes (sync::Sameness::doubtful), and notes their digests: then sync::plan can tell. One that cannot be read,
/// or is another file by now, stays as it is, and is sent as a whole. `account` is the account's path below `root`.
void read_where_inodes_are_reused(const os::Directory& root, const std::string& account,
                                  const sync::AccountManifest& before, sync::AccountManifest& after);

}  // namespace maildirsync::agent
