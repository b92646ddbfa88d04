#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "common/sync/manifest.h"

namespace maildirsync::sync {

/// What is known of whether a message of `after` is one that `before` has, perhaps under another name.
enum class Sameness : std::uint8_t {
  other,
  doubtful,  ///< the inode of a file that went may have been given to a new one of equal size and time; the digest of
             ///< `after`, which is not known, tells
  same,
};

/// The inodes of messages that have a name of the same base name on both sides: they were not given to other files.
std::unordered_set<std::uint64_t> kept_inodes(const std::vector<FolderManifest>& before,
                                              const std::vector<FolderManifest>& after);

/// An inode says who a message is only when it was kept (`kept_inodes`), or together with the base name or the digest.
Sameness sameness(const Entry& before, const Entry& after, const std::unordered_set<std::uint64_t>& kept);

}  // namespace maildirsync::sync
