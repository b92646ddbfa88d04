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

}  // namespace maildirsync::sync
