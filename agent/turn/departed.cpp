#include "agent/turn/departed.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "common/sync/equality.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::FolderManifest;

bool is_away(const FolderManifest* folder, Area area) {
  return folder == nullptr || (area == Area::cur && !folder->cur) || (area == Area::new_ && !folder->new_);
}

bool is_seen(const sync::AccountManifest& listed, const sync::Intent& message) {
  const Entry* entry = listed.find(message.to.folder, message.to.area, message.to.name);
  return entry != nullptr && sync::is_intended(*entry, message);
}

/// What the source has still, wherever it is by now.
class Present {
 public:
  explicit Present(const sync::AccountManifest& after) {
    for (const auto& folder : after.folders) {
      for (const auto& entry : folder.entries) {
        inodes_.insert(entry.inode);
        bases_.emplace(folder.path, sync::base_name(entry));
      }
    }
  }

  bool has(const FolderManifest& folder, const Entry& entry) const {
    return (entry.inode != 0 && inodes_.contains(entry.inode)) ||
           bases_.contains({folder.path, sync::base_name(entry)});
  }

 private:
  std::unordered_set<std::uint64_t> inodes_;
  std::set<std::pair<std::string_view, std::string_view>> bases_;
};

}  // namespace

std::vector<sync::Intent> departed(const sync::AccountManifest& known, const sync::AccountManifest& listed,
                                   const sync::AccountManifest& after, std::vector<sync::Intent> earlier) {
  // Those that are seen are in what this comparison finds to be ours, and go now.
  std::erase_if(earlier, [&](const sync::Intent& message) { return is_seen(listed, message); });
  if (!listed.exists) return earlier;  // all of it is away, or was removed: nothing tells which
  std::optional<Present> present;
  for (const auto& folder : known.folders) {
    const auto* there = listed.find(folder.path);
    for (const auto& entry : folder.entries) {
      if (entry.area == Area::folder || !is_away(there, entry.area)) continue;
      if (!present) present.emplace(after);
      if (!present->has(folder, entry)) {
        earlier.push_back({{folder.path, entry.area, entry.name}, entry.size, entry.mtime, 0});
      }
    }
  }
  if (earlier.size() > k_most_departed) {
    earlier.erase(earlier.begin(), earlier.end() - static_cast<std::ptrdiff_t>(k_most_departed));
  }
  return earlier;
}

}  // namespace maildirsync::agent
