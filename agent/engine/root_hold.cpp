#include "agent/engine/root_hold.h"

#include "common/os/file_system.h"

namespace maildirsync::agent {

std::string reason_to_hold(const WalkedRoot& root) {
  using Directory = WalkedRoot::Directory;
  if (root.directory == Directory::missing) return "the root cannot be opened (" + root.trouble + ")";
  if (root.known == 0) return "";
  if (root.found == 0 && root.directory == Directory::unreadable) {
    return "the root cannot be read (" + root.trouble + ")";
  }
  if (root.found == 0) {
    return "the root " + root.path + " is empty where there were " + std::to_string(root.known) + " accounts";
  }
  if (os::is_another_file_system(root.file_system_then, root.file_system)) {
    return "the root " + root.path + " is on another file system (" + root.file_system + ") than before (" +
           root.file_system_then + ")";
  }
  // Inode numbers last where the file system is known again.
  if (!root.file_system_then.empty() && root.inode_then != 0 && root.inode != root.inode_then) {
    return "the root " + root.path + " is another directory than before, a copy or one that was put back";
  }
  return "";
}

}  // namespace maildirsync::agent
