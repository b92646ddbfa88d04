#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/scan/entry.h"
#include "common/os/directory.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// Whose contents are read, on both sides.
enum class Contents : std::uint8_t { control_files, all };

struct SourceListing {
  sync::AccountManifest manifest;     ///< every file stat-ed; digests as asked for, from the disk
  std::vector<ScanProblem> problems;  ///< what could not be looked at or is mail left out, and so is not compared
  std::uint64_t acls = 0;             ///< files and directories with an ACL, which does not come along
};

/// What the source holds of an account, from the disk alone: neither the state nor its digests are asked. Special files
/// and links that leave the account are left out, as they are from the mirror. Blocks on files; cancelled once `stop`
/// is set.
Result<SourceListing> list_source(const os::Directory& root, const std::string& account, Contents contents,
                                  const std::atomic<bool>& stop);

/// When the file, or the folder with an empty name, was last changed in any way (ctime, ns); 0 when it is not there.
std::int64_t change_stamp(const os::Directory& root, const std::string& account, const std::string& folder,
                          sync::Area area, const std::string& name);

}  // namespace maildirsync::agent
