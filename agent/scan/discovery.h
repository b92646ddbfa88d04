#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/watch/watcher.h"
#include "common/config/config.h"
#include "common/maildir/layout.h"
#include "common/os/directory.h"

namespace maildirsync::agent {

/// What makes a directory the same one: the device of its file system and its inode there.
struct Identity {
  std::uint64_t device = 0, inode = 0;
  bool operator==(const Identity&) const = default;
};

/// The accounts below a root.
struct Discovery {
  std::shared_ptr<const os::Directory> directory;  ///< none when the root is missing
  Identity identity;
  std::string real_path;  ///< absolute, without links
  struct Found {
    std::string path;  ///< below the root
    std::string name;
  };
  std::vector<Found> accounts;
  std::vector<std::string> links;  ///< symbolic links where an account or a directory on the way was expected
  Error error;                     ///< when the root could not be read
  bool whole = true;               ///< no directory on the way was unreadable
  std::vector<Error> problems;
};

/// Walks the directories between the root and its accounts, watching each before it is listed. Blocking.
Discovery discover(const config::AgentRoot& root, std::uint32_t root_index, const maildir::Layout& layout,
                   Watcher& watcher);

}  // namespace maildirsync::agent
