#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/os/directory.h"

namespace maildirsync::agent {

/// A directory at the source in which a receiver has left its marker (os/marker.h), since a root of some agent lands
/// there: this server is, or was, a destination too.
struct MetMarker {
  enum class Where : std::uint8_t { here, below, above };

  Where where = Where::here;  ///< as seen from the root's directory
  std::string directory;      ///< absolute
  std::string id;             ///< "" where it cannot be read: it is the receiver's own
  std::uint64_t inode = 0;    ///< of the file
  std::int64_t changed = 0;   ///< its ctime, ns since the epoch
  bool operator==(const MetMarker&) const = default;
};

/// In a directory; nothing where there is none. Blocking, as what follows.
std::optional<MetMarker> meet_marker(const os::Directory& directory, MetMarker::Where where, const std::string& path);

/// Adds those of the known ones that lie below the root, by its absolute path, are there still, and were not found.
void meet_again(std::vector<MetMarker>& found, const std::vector<MetMarker>& known, const std::string& root);

/// In the directories above an absolute path without links.
std::vector<MetMarker> meet_markers_above(const std::string& path);

}  // namespace maildirsync::agent
