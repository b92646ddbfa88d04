#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// The watched directories by what the kernel calls them: a watch descriptor, or a file handle. There may be millions,
/// so the directories of a folder share its path. One lock of the watcher guards it.
template <class Key, class Hash = std::hash<Key>>
class Places {
 public:
  /// Nothing when the directory is not watched.
  std::optional<Place> find(const Key& key) const {
    const auto found = directories_.find(key);
    if (found == directories_.end()) return std::nullopt;
    const Folder& folder = *found->second.folder;
    return Place{found->second.part, folder.first.owner, folder.first.path};
  }

  /// Takes the place of an earlier one: that is how a renamed folder gets its new path.
  void put(const Key& key, Place place) {
    const bool is_root = place.part == Part::root;
    Folder& folder = *folders_.try_emplace(Name{is_root, place.owner, std::move(place.path)}).first;
    const auto [found, is_new] = directories_.try_emplace(key, Directory{&folder, place.part});
    if (!is_new) {
      Folder* before = std::exchange(found->second.folder, &folder);
      found->second.part = place.part;
      if (before == &folder) return;
      leave(*before, key);
    }
    folder.second.push_back(key);
  }

  void erase(const Key& key) {
    const auto found = directories_.find(key);
    if (found == directories_.end()) return;
    leave(*found->second.folder, key);
    directories_.erase(found);
  }

  /// Drops an account's places and calls `dropped` with the key of each.
  template <class Dropped>
  void forget(std::uint32_t account, const Dropped& dropped) {
    auto folder = folders_.lower_bound(Name{false, account, ""});
    while (folder != folders_.end() && !folder->first.is_root && folder->first.owner == account) {
      for (const Key& key : folder->second) {
        dropped(key);
        directories_.erase(key);
      }
      folder = folders_.erase(folder);
    }
  }

  std::size_t size() const { return directories_.size(); }

 private:
  struct Name {
    bool is_root = false;  ///< the owner is a root's index, not an account's id
    std::uint32_t owner = 0;
    std::string path;
    auto operator<=>(const Name&) const = default;
  };
  using Folders = std::map<Name, std::vector<Key>>;
  using Folder = typename Folders::value_type;
  struct Directory {
    Folder* folder;  ///< into folders_, whose nodes stay
    Part part;
  };

  void leave(Folder& folder, const Key& key) {
    std::erase(folder.second, key);
    if (folder.second.empty()) folders_.erase(folder.first);
  }

  Folders folders_;
  std::unordered_map<Key, Directory, Hash> directories_;
};

}  // namespace maildirsync::agent
