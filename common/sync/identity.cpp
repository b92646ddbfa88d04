#include "common/sync/identity.h"

#include <unordered_map>

#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

bool has_inode(const Entry& entry) {
  return is_message(entry) && entry.kind == EntryKind::file && entry.inode != 0;
}

}  // namespace

std::unordered_set<std::uint64_t> kept_inodes(const std::vector<FolderManifest>& before,
                                              const std::vector<FolderManifest>& after) {
  std::unordered_multimap<std::uint64_t, const Entry*> known;
  for (const auto& folder : before) {
    for (const auto& entry : folder.entries) {
      if (has_inode(entry)) known.emplace(entry.inode, &entry);
    }
  }
  std::unordered_set<std::uint64_t> kept;
  for (const auto& folder : after) {
    for (const auto& entry : folder.entries) {
      if (!has_inode(entry) || kept.contains(entry.inode)) continue;
      const auto [begin, end] = known.equal_range(entry.inode);
      for (auto candidate = begin; candidate != end; ++candidate) {
        const Entry& before_it = *candidate->second;
        if (same_message(before_it, entry) && base_name(before_it) == base_name(entry)) kept.insert(entry.inode);
      }
    }
  }
  return kept;
}

Sameness sameness(const Entry& before, const Entry& after, const std::unordered_set<std::uint64_t>& kept) {
  if (!same_message(before, after)) return Sameness::other;
  if (base_name(before) == base_name(after) || kept.contains(after.inode)) return Sameness::same;
  if (!before.digest) return Sameness::other;
  if (!after.digest) return Sameness::doubtful;
  return *before.digest == *after.digest ? Sameness::same : Sameness::other;
}

}  // namespace maildirsync::sync
