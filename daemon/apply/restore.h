#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/maildir/uidlist.h"
#include "common/sync/manifest.h"
#include "daemon/apply/trash_walk.h"
#include "daemon/apply/tree.h"

namespace maildirsync::daemon {

/// What became of an account that was put back from the trash.
struct Restored {
  std::uint64_t messages = 0, bytes = 0, files = 0;
  std::uint64_t present = 0;          ///< messages that are there already; they stay in the trash, too
  std::uint64_t new_uids = 0;         ///< messages whose UID is another's by now, or was of another time of the folder
  std::uint64_t marked_deleted = 0;   ///< messages that a client had marked as deleted (flag T), as they are again
  std::vector<std::string> beside;    ///< "cur/1.x: is there as 1.c…": another message has the name
  std::vector<std::string> in_trash;  ///< what stays there, each with its reason
};

/// Puts back what an account has in the trash of one day: messages to where they were, so that name, flags and date are
/// what they were, and, by the folder's uidlist, the UID; control files where there are none; folders with their owner
/// and mode. What is there already is never touched, but for the uidlist, which gets lines, and Dovecot's indexes of a
/// folder whose messages come back, which it makes anew. Can be broken off and repeated. The committer's thread alone
/// calls step().
class Restoration {
 public:
  /// Looks for the folders. `root` is the directory where the account was.
  Restoration(DirectoryPtr root, TrashedAccount what);

  /// Puts back a folder, or a bounded part of it; false when nothing is left to do. What must be durable goes into
  /// `sync`.
  bool step(os::SyncSet& sync);

  const Restored& result() const { return result_; }

 private:
  struct Folder;
  void find_folders(const os::Directory& directory, const std::string& path, int depth);
  Result<> begin_folder(os::SyncSet& sync);
  Result<> some_messages(os::SyncSet& sync);
  Result<> message(sync::Area area, const std::string& name, os::SyncSet& sync);
  void control_files(os::SyncSet& sync);
  Result<> give_uids(os::SyncSet& sync);
  Result<DirectoryPtr> live_directory(const std::string& path, os::SyncSet& sync);
  void stays(const std::string& path, const std::string& why);

  DirectoryPtr root_;
  TrashedAccount what_;
  DirectoryPtr trash_;  ///< the account's directory there
  std::deque<std::string> folders_;
  std::unique_ptr<Folder> folder_;
  Restored result_;

 public:
  Restoration(const Restoration&) = delete;
  Restoration& operator=(const Restoration&) = delete;
  ~Restoration();
};

}  // namespace maildirsync::daemon
