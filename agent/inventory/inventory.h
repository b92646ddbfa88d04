#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/scan/entry.h"

namespace maildirsync::agent {

/// A file system gives files whole blocks of this many bytes, as most do.
inline constexpr std::uint64_t k_block = 4096;

/// What an account holds, as `plan` counts it before a migration.
struct Inventory {
  std::uint64_t folders = 0;
  std::uint64_t directories = 0;  ///< of its folders, with cur/ and new/: each needs a watch
  std::uint64_t messages = 0;     ///< files in cur/ and new/
  std::uint64_t bytes = 0;        ///< theirs
  std::uint64_t control_files = 0, control_bytes = 0;
  std::uint64_t disk_bytes = 0;  ///< in whole blocks, links of one file once, directories with it
  std::uint64_t inodes = 0;      ///< the same way
  std::uint64_t biggest_bytes = 0;
  std::string biggest_path;                                  ///< of that message, below the account
  std::size_t longest_name = 0;                              ///< bytes
  std::set<std::pair<std::uint32_t, std::uint32_t>> owners;  ///< (uid, gid) of all of it
  std::uint64_t acls = 0;  ///< files and directories with an ACL, which does not come along
  std::vector<ScanProblem> left_out;
  double walk_seconds = 0;  ///< for the directories alone
  double seconds = 0;       ///< for all of it
};

/// Walks an account as the mirror does, and watches and sends nothing. Blocking; ends early, with what it has, once
/// `stop` is set. What cannot be read is in left_out.
Inventory take_inventory(const os::Directory& root, const std::string& account, const std::atomic<bool>& stop);

}  // namespace maildirsync::agent
