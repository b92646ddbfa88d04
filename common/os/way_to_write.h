#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/result.h"

namespace maildirsync::os {

/// How a new file gets its name so that a power cut leaves it whole or not at all. docs/design.md has the table of what
/// was tried.
enum class WayToWrite : std::uint8_t {
  unnamed,   ///< a file without a name; its body synced; linked into place; the directory synced
  relinked,  ///< as `unnamed`, and the file synced once more under its name, before the directory. Where `named` would
             ///< leave names of ours behind in places that nobody sweeps.
  named,     ///< a file under a name of ours; its body synced; renamed into place; the directory synced
  careful,   ///< as `named`, and the file synced once more under its own name; each file and directory by itself,
             ///< because syncfs(2) cannot be relied on where nobody has tried it
};

/// "unnamed", "relinked", "named", "careful".
const char* name_of(WayToWrite way);

/// Of Linux: 6.1.
struct Kernel {
  unsigned major = 0;
  unsigned minor = 0;
  auto operator<=>(const Kernel&) const = default;
};

/// Of uname(2)'s release, for instance "6.1.0-18-amd64"; 0.0 for one that cannot be read.
Kernel parse_kernel(std::string_view release);

/// The way that was shown to keep what it wrote on such a file system (f_type of statfs(2)) and kernel; the most
/// careful one where none was shown. Pure.
WayToWrite way_to_write(std::int64_t file_system_type, Kernel kernel);

/// "ext4" (for ext2 and ext3 too: they have one number), "btrfs", …; the number where it is not known by a name.
std::string name_of_file_system(std::int64_t file_system_type);

/// Where files are written, and how.
struct Ground {
  std::string file_system;
  Kernel kernel;
  WayToWrite way = WayToWrite::careful;

  /// "btrfs on Linux 6.1: written in the way \"named\"".
  std::string text() const;
};

/// Of the file system that a descriptor lies on. The environment's MAILDIRSYNC_WAY_TO_WRITE, if it names a way, has its
/// will: for tests of the ways themselves. Thread-safe.
Result<Ground> ground_of(int fd);

}  // namespace maildirsync::os
