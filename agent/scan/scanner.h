#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// The mtimes (ns) of a folder's directories at a scan; 0: not there, or not to be trusted because it was "racy" (so
/// young that another change could share the stamp).
struct Stamps {
  std::int64_t self = 0, cur = 0, new_ = 0;
  bool operator==(const Stamps&) const = default;
};

/// A file or folder that cannot be mirrored, for `problems`. `path` is below the account.
struct ScanProblem {
  ErrorCode code = ErrorCode::special_file;
  std::string path;
  std::string detail;
};

/// Where a symbolic link leads: only that is asked, nothing is opened. What may not be looked at counts as a directory,
/// for mail may lie there.
enum class Target : std::uint8_t { nothing, file, directory, other };
Target leads_to(const os::Directory& directory, const std::string& name);

/// The folders of an account, without their entries, and the stamps that they had *before* they were listed.
struct StructureScan {
  sync::AccountManifest manifest;  ///< structure_whole unless a directory could not be read
  std::map<std::string, Stamps> stamps;
  std::map<std::string, std::uint64_t> mounts;  ///< of each folder: what is mounted at it (os::mounted_at), 0: nothing
  std::vector<ScanProblem> problems;
  std::size_t acls = 0;  ///< directories with an ACL, which does not come along
};

/// Called for each directory before it is listed (folder itself, cur, new) and for tmp: the place to watch it.
/// part: 'f', 'c', 'n' or 't'.
using OnDirectory = std::function<void(const os::Directory& directory, const std::string& folder, char part)>;

/// Walks an account's directories (all but cur/, new/, tmp/ are folders; symbolic links are not followed, a loop cannot
/// arise). A folder that cannot be read is a problem and makes the structure not whole; the rest goes on. A missing
/// account gives a manifest with exists == false. cur/, new/ or tmp/ that are files are entries, not areas. A mailbox
/// that has one of these names (a directory of that name with cur/ in it) cannot be told from an area: it is a problem.
///
/// All modes, here and below, are those that stay right without POSIX ACLs (os::mode_without_acl).
StructureScan scan_structure(const os::Directory& root, const std::string& account, const OnDirectory& on_directory);

enum class Depth : std::uint8_t {
  names,  ///< a known entry with the same name and inode is taken as unchanged, without a stat
  full,   ///< every entry is stat-ed
};

/// A control file as it was before the messages were listed: its content or, of a larger one, the digest of its first
/// bytes, as many as its entry says. What is appended later leaves these as they are; anything else shows.
struct Snapshot {
  std::string content;
  std::optional<sync::Digest> digest;
};

/// Of what it stands for.
sync::Digest digest_of(const Snapshot& snapshot);

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

/// Control files that name messages are kept in memory up to this size.
inline constexpr std::size_t k_snapshot_limit = 1024 * 1024;

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
