#pragma once

#include <algorithm>
#include <cstdint>
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
class KeptInodes {
 public:
  KeptInodes(const std::vector<FolderManifest>& before, const std::vector<FolderManifest>& after);
  bool contains(std::uint64_t inode) const { return std::binary_search(inodes_.begin(), inodes_.end(), inode); }

 private:
  std::vector<std::uint64_t>
      inodes_;  ///< sorted: an account has up to a million, and a table would take six times that
};

/// An inode says who a message is only when it was kept (`KeptInodes`), or together with the base name or the digest.
Sameness sameness(const Entry& before, const Entry& after, const KeptInodes& kept);

}  // namespace maildirsync::sync
