#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/apply/folder_look.h"
#include "daemon/apply/stage.h"

namespace maildirsync::daemon {

// What a committer finds out once for all operations of a group. The committer's thread alone.

/// Whether the roots of a group's accounts are where they were when the accounts were opened.
class RootsOfGroup {
 public:
  const std::optional<Error>& away(const Account& account);

 private:
  std::unordered_map<const os::Directory*, std::optional<Error>> looked_at_;
};

/// How a folder looked before the first operation of a group that touches it, and after the last.
struct FolderLooks {
  std::string folder;
  FolderLook before = k_look_unknown, after = k_look_unknown;
};

/// How the folders look that a group's operations touch, before and after them.
class LooksOfGroup {
 public:
  /// Before the operation is done.
  void look_before(const StagedOperation& staged);
  /// Once the group is done: all that was looked at of an account, once.
  std::vector<FolderLooks> take(const Account& account);

 private:
  std::unordered_map<const Account*, std::unordered_map<std::string, FolderLooks>> accounts_;
};

/// What a group gave to drained roots, on the disk before it is acknowledged.
class GivenByGroup {
 public:
  void note(const StagedOperation& staged);
  /// What could not be kept, by its memory.
  std::map<std::shared_ptr<Given>, Error> keep();

 private:
  std::map<std::shared_ptr<Given>, std::shared_ptr<const os::Directory>> roots_;
};

struct Group {
  RootsOfGroup roots;
  LooksOfGroup looks;
  GivenByGroup given;
};

}  // namespace maildirsync::daemon
