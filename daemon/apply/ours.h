#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/os/sync_set.h"
#include "common/sync/manifest.h"
#include "daemon/apply/tree.h"
#include "daemon/owner/owner_map.h"

namespace maildirsync::daemon {

/// Which files of an account may be given owner, mode and time. A mail user with a shell can put any file that they can
/// rename, and without fs.protected_hardlinks any file that they can name, in the place of a message, with its size and
/// time; whoever gave that file to the owner of the message would give away what is in it. So:
///
/// - A file of the owner that the operation gives is theirs already: size and time tell whether it is the message.
/// - Another owner's is the message only if its digest says so, and size and time say nothing. Its inode is given away
///   only if it has no name elsewhere, or belongs to the one whose file it was before by the operation's own word.
///   Otherwise a copy takes its place: the content is the owner's, that inode is not.
/// - What is changed is the inode that was opened and looked at, through its descriptor, and never a name.
class Claim {
 public:
  /// `wanted` as it must become, with the destination's owner; its digest where it was said. Both outlive the claim.
  Claim(const sync::Entry& wanted, const std::optional<OwnerId>& former) : wanted_(wanted), former_(former) {}

  bool is_owners(const struct stat& status) const { return status.st_uid == wanted_.attributes.uid; }

  /// Whether a file that was found by size and time may be taken for the message. unexpected when its owner is another
  /// and the digest, which would tell, was not said; conflict when it is somebody else's.
  Result<> check(const os::Directory& directory, const std::string& name, const struct stat& seen) const;

  /// Gives the file of that name, which must still be the inode that was seen, what differs of owner, mode and time.
  /// `path` is for messages.
  Result<> give(Tree& tree, const Tree::Place& at, const struct stat& seen, const std::string& path,
                os::SyncSet& sync) const;

  /// The owner of a symbolic link, by the same rules; its target is its content.
  Result<> give_link(const os::Directory& directory, const std::string& name, const std::string& path) const;

 private:
  Result<> check_content(int fd, const struct stat& status, const std::string& path) const;
  Result<> put_copy(Tree& tree, const Tree::Place& at, int fd, const struct stat& status, const std::string& path,
                    os::SyncSet& sync) const;

  const sync::Entry& wanted_;
  const std::optional<OwnerId>& former_;
};

bool is_same_file(const struct stat& left, const struct stat& right);

}  // namespace maildirsync::daemon
