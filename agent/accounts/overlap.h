#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/scan/markers.h"

namespace maildirsync::agent {

/// Whether a root's source and the directory in which it lands are one, or in one another: by a shared mount, on one
/// machine, by a typing error. The receiver's marker of that directory, met at the source, tells it. Nothing is sent
/// before it was looked for. Event loop only.
struct Overlap {
  std::string id;                  ///< of the destination's marker, as the receiver last told: that was looked for
  std::uint64_t inode = 0;         ///< of the marker's file there, …
  std::int64_t changed = 0;        ///< … and its ctime: they tell where the agent cannot read it
  std::vector<MetMarker> met;      ///< at the source, by the last walk
  std::uint64_t wanted_looks = 0;  ///< walks that must look for it …
  std::uint64_t looks = 0;         ///< … and those of them that did
  bool awaits_marker = false;      ///< the receiver can mark the directory, and has not been asked yet
  bool asks = false;               ///< it is being asked
  std::string hold;                ///< why the root waits for a person; "" while it need not
};

/// A root, as the search for overlaps sees it.
struct RootPlaces {
  std::string name;
  std::string source;
  const Overlap* overlap = nullptr;
};

/// Why nothing may be sent for a root: its own destination is its source, or one lies in the other, or the mail of
/// several roots would go round in a circle. "" when all is well. A marker of another directory is none of that: the
/// server may be the destination of another migration, or have been one. Pure.
std::string reason_of_overlap(const std::vector<RootPlaces>& roots, std::size_t index);

}  // namespace maildirsync::agent
