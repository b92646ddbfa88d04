#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sys/stat.h>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/operation.h"
#include "daemon/apply/trash.h"

namespace maildirsync::daemon {

using DirectoryPtr = std::shared_ptr<const os::Directory>;

/// The committer's view of one opened account: descriptors of its directories, kept while they are in use, and what
/// failed so far. The committer's thread alone uses it.
class Tree {
 public:
  /// `parents`: attributes (of the destination) of the directories between the root and the account, where the peer
  /// said them and their owners are mapped.
  Tree(DirectoryPtr root, std::string account, std::vector<std::optional<sync::Attributes>> parents)
      : root_(std::move(root)), account_(std::move(account)), parents_(std::move(parents)) {}

  /// A directory below the account ("" is the account); `unexpected` when it is not there.
  Result<DirectoryPtr> directory(const std::string& path);
  /// The directory that holds `path`, and its name there; the account itself lies in a directory of the root.
  struct Place {
    DirectoryPtr directory;
    std::string name;
  };
  Result<Place> place(const std::string& path);

  /// After a folder was renamed or removed: no descriptor of the old paths is used again.
  void forget() {
    open_.clear();
    recent_.clear();
  }

  /// What operations say must go to the trash goes there, from now on; before, it is unlinked.
  void keep_trash(TrashLabel label) { trash_.emplace(root_, account_, std::move(label)); }
  /// Null without one.
  Trash* trash() { return trash_ ? &*trash_ : nullptr; }

  const DirectoryPtr& root() const { return root_; }
  const std::string& account() const { return account_; }
  const std::vector<std::optional<sync::Attributes>>& parents() const { return parents_; }

  /// Files that a copy took the place of, by device and inode: their other names become links of the copy.
  struct Copy {
    DirectoryPtr directory;
    std::string name;
    struct stat status {};
  };
  std::map<std::pair<dev_t, ino_t>, Copy>& copies() { return copies_; }

  /// Keeps the order of an account: after a transient failure to add something, later operations that name messages or
  /// take something away are refused.
  std::optional<Error> refusal(const sync::Operation& operation) const;
  void note_failure(const sync::Operation& operation, const Error& error);

 private:
  struct Open {
    DirectoryPtr directory;
    std::list<std::string>::iterator recent;
  };

  DirectoryPtr root_;
  std::string account_;
  std::vector<std::optional<sync::Attributes>> parents_;
  std::unordered_map<std::string, Open> open_;
  std::list<std::string> recent_;  ///< last used first
  std::optional<Trash> trash_;
  std::map<std::pair<dev_t, ino_t>, Copy> copies_;
  bool blocked_ = false;
  std::map<std::string, Error> missing_folders_;  ///< those that could not be made
};

/// Whether a failure will be repeated by itself, unlike one that waits for a person.
bool is_transient(ErrorCode code);

}  // namespace maildirsync::daemon
