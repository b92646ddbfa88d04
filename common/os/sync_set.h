#pragma once

#include <memory>
#include <unordered_set>
#include <vector>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// What makes things durable. Replaced by tests that leave a sync out; thread-safe.
class Syncs {
 public:
  virtual ~Syncs() = default;
  /// fsync(2) of a file or a directory.
  virtual Result<> file(int fd) = 0;
  /// syncfs(2).
  virtual Result<> file_system(int fd) = 0;
};

/// The operating system's.
Syncs& system_syncs();

/// Files and directories that must be on the disk before something is promised, the files first. Few are synced one by
/// one (fsync(2)), many by one syncfs(2) of each file system they lie on, where its way to write trusts that. Used by
/// one thread.
class SyncSet {
 public:
  explicit SyncSet(Syncs& syncs = system_syncs()) : syncs_(&syncs) {}

  /// A directory: the names in it. Kept open until sync().
  void add(std::shared_ptr<const Directory> directory);
  /// A file, kept open until sync().
  void add(Fd file);
  /// One that others may add too: it is synced once.
  void add(std::shared_ptr<const Fd> file) { shared_.insert(std::move(file)); }
  /// A file that stays open elsewhere until sync().
  void add(int fd) { fds_.push_back(fd); }

  bool empty() const { return fds_.empty() && shared_.empty() && directories_.empty(); }

  /// Blocks until all of it is durable, then forgets it. On failure nothing may be promised of any of it.
  Result<> sync();

 private:
  Result<> sync_each(const std::vector<int>& fds);
  Result<> sync_file_systems(const std::vector<int>& fds);

  Syncs* syncs_;
  std::vector<int> fds_;  ///< of files
  std::vector<std::shared_ptr<const Directory>> directories_;
  std::unordered_set<const Directory*> known_;
  std::vector<Fd> files_;
  std::unordered_set<std::shared_ptr<const Fd>> shared_;
};

}  // namespace maildirsync::os
