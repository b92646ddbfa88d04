#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/scan/entry.h"
#include "agent/scan/markers.h"
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

/// What is mounted at directories between a root and its accounts, by their paths below the root: os::mounted_at of
/// those where something is.
using MountsAbove = std::map<std::string, std::uint64_t>;

/// The accounts below a root.
struct Discovery {
  std::shared_ptr<const os::Directory> directory;  ///< none when the root is missing
  Identity identity;
  std::string real_path;    ///< absolute, without links
  std::string file_system;  ///< os::file_system_of
  MountsAbove mounts;
  struct Found {
    std::string path;  ///< below the root
    std::string name;
  };
  std::vector<Found> accounts;
  std::vector<ScanProblem> left_out;  ///< mail that no account of the pattern holds, and links in accounts' places
  Error error;                        ///< when the root could not be opened or listed
  bool whole = true;                  ///< no directory on the way was unreadable
  std::vector<ScanProblem> problems;
  std::vector<MetMarker> markers;  ///< of destinations
};

/// How far mail is looked for that belongs to no account, and how far destinations' markers are. Each does what those
/// before it do.
enum class Search : std::uint8_t {
  beside,      ///< in what lies directly beside accounts and the directories on the way to them
  markers,     ///< markers also in the directories of accounts, and in what lies beside these
  everywhere,  ///< in all that lies below the root and is not an account: for proofs, and as slow as find(1)
};

/// Walks the directories between the root and its accounts, watching each before it is listed. A directory with cur/
/// that the pattern does not make an account, or part of one, is mail that would be missing: it is in `left_out`, but
/// for accounts that the configuration excludes. Blocking.
Discovery discover(const config::AgentRoot& root, std::uint32_t root_index, const maildir::Layout& layout,
                   Watcher& watcher, Search search);

}  // namespace maildirsync::agent
