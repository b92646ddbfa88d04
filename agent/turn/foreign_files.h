#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include <sys/types.h>

#include "common/os/directory.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

/// Tells the files of others in an account. A user can link any file into their Maildir where fs.protected_hardlinks is
/// off, and move there what lies in a directory that they may write to; at the destination, where many owners often
/// become one, it would be theirs. What its account's owner can read anyway gives nothing away, whoever put it there.
/// So a file is foreign when it belongs to none of the owners of the account's, the folder's and its own directory, and
/// neither everybody nor a group of these may read it. A directory of root's that others may not write to holds what
/// root put there. Owned by a lane; asks for each directory once.
class ForeignFiles {
 public:
  explicit ForeignFiles(const os::Directory& account) : account_(&account) {}

  /// Whether the operation sends a file of somebody else's. One with names elsewhere is not sent, under none of its
  /// names (foreign_owner); one without goes with a mark, because only the receiver knows whether it would become its
  /// account's owner's there.
  Result<bool> judge(const sync::Operation& operation);

  bool is_foreign(const sync::Location& at, const sync::Attributes& file);

 private:
  struct Owner {
    bool known = false;
    uid_t uid = 0;
    gid_t gid = 0;
    std::optional<bool> in_group;  ///< asked of the name service where it matters
    /// Whether the owner may read what the group may.
    bool is_in_group();
  };
  Owner& owner_of(const std::string& directory);

  const os::Directory* account_;
  std::map<std::string, Owner> owners_;
  std::set<std::uint64_t> links_;  ///< inodes of what was refused
};

}  // namespace maildirsync::agent
