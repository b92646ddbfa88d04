#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/fd.h"

namespace maildirsync::agent {

/// Notices what is mounted and unmounted. A file system that is mounted over a directory hides what is below it, and
/// one that is unmounted shows it again, and no watcher tells of either. Used by the event loop only.
class Mounts {
 public:
  /// Remembers the mounts that are there.
  Mounts();

  /// Has a priority event (POLLPRI) when there may be a change; -1 where the kernel does not tell (no /proc).
  int fd() const { return fd_.get(); }
  /// The places where something was mounted, unmounted or moved since the last call, each once.
  std::vector<std::string> changed();

 private:
  os::Fd fd_;
  std::set<std::string> mounts_;  ///< lines of proc(5), mountinfo, without what does not make the mount another one
};

/// Whether a mount at `mount_point` decides what is seen at `path` or below it. Both absolute, without links.
bool decides(std::string_view mount_point, std::string_view path);

/// The mount point of a line of mountinfo, its \ooo taken back; empty when the line has none.
std::string mount_point_of(std::string_view line);

}  // namespace maildirsync::agent
