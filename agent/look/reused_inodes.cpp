#include "agent/look/reused_inodes.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <sys/stat.h>

#include "common/codec/digest.h"
#include "common/sync/identity.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;

bool has_inode(const Entry& entry) {
  return entry.area != Area::folder && entry.kind == sync::EntryKind::file && entry.inode != 0;
}

std::optional<sync::Digest> read(const os::Directory& root, const std::string& account, const std::string& folder,
                                 const Entry& entry) {
  const std::string path = os::join(account, sync::path_of({folder, entry.area, entry.name}));
  const auto fd = root.open_for_reading(path);
  if (!fd) return std::nullopt;
  const auto digest = codec::digest_of(fd->get(), path);
  struct stat status {};
  if (!digest || ::fstat(fd->get(), &status) != 0) return std::nullopt;
  const bool is_it = status.st_ino == entry.inode && static_cast<std::uint64_t>(status.st_size) == entry.size &&
                     os::nanoseconds(status.st_mtim) == entry.mtime;
  return is_it ? std::optional(*digest) : std::nullopt;
}

}  // namespace

void read_where_inodes_are_reused(const os::Directory& root, const std::string& account,
                                  const sync::AccountManifest& before, sync::AccountManifest& after) {
  if (before.folders.empty()) return;
  const sync::KeptInodes kept(before.folders, after.folders);
  const auto may_be_reused = [&](const Entry& entry) { return has_inode(entry) && !kept.contains(entry.inode); };
  std::unordered_set<std::uint64_t> seen;  // at other names than they had, or for the first time
  for (const auto& folder : after.folders) {
    for (const auto& entry : folder.entries) {
      if (may_be_reused(entry)) seen.insert(entry.inode);
    }
  }
  std::unordered_multimap<std::uint64_t, const Entry*> by_inode;
  for (const auto& folder : before.folders) {
    for (const auto& entry : folder.entries) {
      if (has_inode(entry) && seen.contains(entry.inode)) by_inode.emplace(entry.inode, &entry);
    }
  }
  if (by_inode.empty()) return;
  for (auto& folder : after.folders) {
    for (auto& entry : folder.entries) {
      if (!may_be_reused(entry)) continue;
      const auto [begin, end] = by_inode.equal_range(entry.inode);
      const bool doubtful = std::any_of(begin, end, [&](const auto& known) {
        return sync::sameness(*known.second, entry, kept) == sync::Sameness::doubtful;
      });
      if (doubtful) entry.digest = read(root, account, folder.path, entry);
    }
  }
}

}  // namespace maildirsync::agent
