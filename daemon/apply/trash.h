#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/maildir/own_names.h"
#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/os/sync_set.h"

// What is deleted here in masses, or with its folder or account, is not unlinked. It is moved into the trash, directly
// below the root, and stays there for `trash_days`:
//
//     ROOT/.maildirsync.trash/2026-11-28/example.org/a/Maildir/.Sent/cur/1700000000.M1P1.mx:2,S
//                             date (UTC) account's path        as it was below the account
//
// A file keeps its name, owner, mode and times, because it is only renamed. The directories are ours alone (0700); what
// those they stand for were like is in a note in each. Where a name is taken, because the same was deleted before on
// that day, the file goes to "2026-11-28.1", and so on. What brings messages back with their UIDs lies beside them: the
// control files that went too, and, where the folder stays, a copy of its uidlist from before the first one went.

namespace maildirsync::daemon {

class Tree;

using maildir::k_trash;
/// In each directory that stands for a folder, an account, or a directory above one: lines "self 0700 5000 5000",
/// then "cur …", "new …", "tmp …".
inline constexpr std::string_view k_trash_shape = ".maildirsync.folder";
/// In each directory that stands for an account: lines "name …", "root …", "peer …".
inline constexpr std::string_view k_trash_account = ".maildirsync.account";
/// Copies of a folder's dovecot-uidlist, with a number appended, higher for later ones.
inline constexpr std::string_view k_trash_uidlist = ".maildirsync.uidlist.";

/// Whose account it is, so that it can be found in the trash; "" where that is not known.
struct TrashLabel {
  std::string account;  ///< as the agent names it: a@example.org
  std::string root;
  std::string peer;
};

/// An account's way into the trash. Everything is opened beneath the root's descriptor. Each call can be repeated: what
/// is in the trash already is done. The committer's thread alone uses it.
class Trash {
 public:
  /// `account` is its path below the root.
  Trash(std::shared_ptr<const os::Directory> root, std::string account, TrashLabel label);

  /// Moves a file or symbolic link of the account, named by its path below it. Nothing is unlinked that is not safe in
  /// the trash; what must be durable for that goes into `sync`. A name that is free already is done.
  Result<> take(Tree& tree, const std::string& path, os::SyncSet& sync);
  /// Notes a folder, so that it comes back even if there was nothing in it.
  Result<> note_folder(Tree& tree, const std::string& folder, os::SyncSet& sync);

 private:
  using DirectoryPtr = std::shared_ptr<const os::Directory>;
  Result<DirectoryPtr> place(Tree& tree, unsigned number, const std::string& directory, os::SyncSet& sync);
  Result<DirectoryPtr> make_place(Tree& tree, unsigned number, const std::string& directory, os::SyncSet& sync);
  Result<> label_account(const DirectoryPtr& place) const;

  DirectoryPtr root_;
  std::string account_;
  TrashLabel label_;
  std::string date_;
  std::map<std::pair<unsigned, std::string>, DirectoryPtr> places_;
};

/// Opens the trash of a root; ErrorCode::vanished when there is none.
Result<os::Directory> open_trash(const os::Directory& root);

/// The day of a directory in the trash ("2026-11-28", "2026-11-28.1"), in days since the epoch; nothing for any other
/// name.
std::optional<std::int64_t> day_of_trash(std::string_view name);
std::int64_t today();

}  // namespace maildirsync::daemon
