#include "common/sync/identity.h"

#include <utility>

#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

bool has_inode(const Entry& entry) {
  return is_message(entry) && entry.kind == EntryKind::file && entry.inode != 0;
}

}  // namespace

KeptInodes::KeptInodes(const std::vector<FolderManifest>& before, const std::vector<FolderManifest>& after) {
  std::vector<std::pair<std::uint64_t, const Entry*>> known;
  for (const auto& folder : before) {
    for (const auto& entry : folder.entries) {
      if (has_inode(entry)) known.emplace_back(entry.inode, &entry);
    }
  }
  if (known.empty()) return;
  const auto by_inode = [](const auto& left, const auto& right) { return left.first < right.first; };
  std::sort(known.begin(), known.end(), by_inode);
  for (const auto& folder : after) {
    for (const auto& entry : folder.entries) {
      if (!has_inode(entry)) continue;
      const auto [begin, end] = std::equal_range(known.begin(), known.end(), std::pair(entry.inode, &entry), by_inode);
      const bool is_kept = std::any_of(begin, end, [&](const auto& one) {
        return same_message(*one.second, entry) && base_name(*one.second) == base_name(entry);
      });
      if (is_kept) inodes_.push_back(entry.inode);
    }
  }
  std::sort(inodes_.begin(), inodes_.end());
}

Sameness sameness(const Entry& before, const Entry& after, const KeptInodes& kept) {
  if (!same_message(before, after)) return Sameness::other;
  if (base_name(before) == base_name(after) || kept.contains(after.inode)) return Sameness::same;
  if (!before.digest) return Sameness::other;
  if (!after.digest) return Sameness::doubtful;
  return *before.digest == *after.digest ? Sameness::same : Sameness::other;
}

}  // namespace maildirsync::sync
