#pragma once

#include <memory>
#include <unordered_set>
#include <vector>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// Files and directories that must be on the disk before something is promised. Few are synced one by one (fsync(2)),
/// many by one syncfs(2) of each file system they lie on. Used by one thread.
class SyncSet {
 public:
  /// A directory: the names in it. Kept open until sync().
  void add(std::shared_ptr<const Directory> directory);
  /// A file, kept open until sync().
  void add(Fd file);
  /// A file that stays open elsewhere until sync().
  void add(int fd) { fds_.push_back(fd); }

  bool empty() const { return fds_.empty(); }

  /// Blocks until all of it is durable, then forgets it. On failure nothing may be promised of any of it.
  Result<> sync();

 private:
  std::vector<int> fds_;
  std::vector<std::shared_ptr<const Directory>> directories_;
  std::unordered_set<const Directory*> known_;
  std::vector<Fd> files_;
};

}  // namespace maildirsync::os
