#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/scan/entry.h"
#include "agent/scan/snapshot.h"
#include "agent/scan/stamps.h"
#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

enum class Depth : std::uint8_t {
  names,  ///< a known entry with the same name and inode is taken as unchanged, without a stat
  full,   ///< every entry is stat-ed
};

struct FolderScan {
  sync::FolderManifest manifest;            ///< path, inode, shape, entries sorted
  std::map<std::string, Snapshot> control;  ///< control files that differ from `known`
  Stamps stamps;                            ///< before the listing, racy ones 0
  bool whole = true;  ///< false: the directory kept changing while it was listed; then entries that are in `known` but
                      ///< were not seen are kept as known, and the folder must be looked at again
  std::int64_t rests_in = 0;  ///< ns until stamps of whole seconds are old enough to show any change; 0: unknown
  std::vector<ScanProblem> problems;
  std::size_t acls = 0;      ///< entries with an ACL, which does not come along
  std::size_t new_acls = 0;  ///< those of them that are not in `known`
};

/// Lists one folder: first its control files (stat and snapshot), then new/ and cur/. `account` is the account's
/// directory, `known` the folder's entries in the state, sorted. Sockets, devices, fifos, links that leave the account
/// and subdirectories of cur/ and new/ are problems and not entries. Entries get inode, size, mtime, attributes; those
/// equal to `known` (inode, size, mtime) take over its digest. vanished when the folder is gone.
Result<FolderScan> scan_folder(const os::Directory& account, const std::string& folder,
                               const std::vector<sync::Entry>& known, Depth depth);

/// The same for some names only: stats each (area, name); those that are not there are left out. Scope::names.
struct AreaName {
  sync::Area area = sync::Area::cur;
  std::string name;
  auto operator<=>(const AreaName&) const = default;
};
Result<FolderScan> scan_names(const os::Directory& account, const std::string& folder,
                              const std::vector<AreaName>& names, const std::vector<sync::Entry>& known);

/// Whether a control file is not as it was acknowledged, for pruning: they are modified in place, which no stamp of a
/// directory shows. vanished when the folder is gone.
Result<bool> control_changed(const os::Directory& account, const std::string& folder,
                             const std::vector<sync::Entry>& known_control);

}  // namespace maildirsync::agent
