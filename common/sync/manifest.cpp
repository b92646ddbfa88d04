#include "common/sync/manifest.h"

#include <algorithm>
#include <tuple>

#include "common/maildir/name.h"

namespace maildirsync::sync {

bool before_in_folder(const Entry& left, const Entry& right) {
  return std::tie(left.area, left.name) < std::tie(right.area, right.name);
}

const FolderManifest* AccountManifest::find(std::string_view path) const {
  const auto found = std::lower_bound(folders.begin(), folders.end(), path,
                                      [](const FolderManifest& folder, std::string_view p) { return folder.path < p; });
  return found != folders.end() && found->path == path ? &*found : nullptr;
}

std::string_view base_name(const Entry& entry) {
  return entry.area == Area::folder ? std::string_view(entry.name) : maildir::base_of(entry.name);
}

bool same_message(const Entry& left, const Entry& right) {
  if (left.kind != right.kind || left.size != right.size || left.mtime != right.mtime) return false;
  if (left.kind == EntryKind::symlink && left.target != right.target) return false;
  if (left.inode != 0 && right.inode != 0) return left.inode == right.inode;
  return base_name(left) == base_name(right);
}

Sameness sameness(const Entry& before, const Entry& after, bool still_there) {
  if (!same_message(before, after)) return Sameness::other;
  if (still_there || base_name(before) == base_name(after)) return Sameness::same;
  if (!before.digest) return Sameness::other;
  if (!after.digest) return Sameness::doubtful;
  return *before.digest == *after.digest ? Sameness::same : Sameness::other;
}

}  // namespace maildirsync::sync
