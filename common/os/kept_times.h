#pragma once

#include <cstdint>
#include <limits>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// Which times a file system keeps of its files, in ns since the epoch: in steps of `grain`, and none outside of
/// [earliest, latest]. ext3, and ext4 with inodes of 128 bytes, keep whole seconds from 1901 to 2038.
struct KeptTimes {
  std::int64_t grain = 1;
  std::int64_t earliest = std::numeric_limits<std::int64_t>::min();
  std::int64_t latest = std::numeric_limits<std::int64_t>::max();

  /// What a file shows after it was given that time.
  std::int64_t kept(std::int64_t time) const;
  /// Whether it becomes another date, and not only a coarser one.
  bool holds(std::int64_t time) const;
  bool operator==(const KeptTimes&) const = default;
};

/// Measured with a file without a name in the directory; where the file system has none, with one that is removed at
/// once. The errors of making a file.
Result<KeptTimes> measure_kept_times(const Directory& directory);

/// The grain of the file system that gave a stamp, as far as the stamp shows: 2 s or 1 s for whole seconds, else less
/// than a tick of the kernel's clock.
std::int64_t grain_shown_by(std::int64_t stamp);

/// When a stamp is old enough to be trusted: what changes from then on gets another one. A stamp in the future is not
/// given by this clock, and says nothing about it.
std::int64_t trusted_from(std::int64_t stamp);

/// Whether, at `now`, a change that is still to come could get the same stamp.
inline bool is_racy(std::int64_t stamp, std::int64_t now) {
  return now < trusted_from(stamp);
}

}  // namespace maildirsync::os
