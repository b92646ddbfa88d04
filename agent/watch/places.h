#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// Whether `path` is `folder` or lies below it; both as paths below an account.
inline bool is_at_or_below(const std::string& path, const std::string& folder) {
  return folder.empty() || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

/// The watched directories by what the kernel calls them: a watch descriptor, or a file handle. One lock of the
/// watcher guards it.
template <class Key>
class Places {
 public:
  /// Nothing when the directory is not watched. Valid until the next change.
  const Place* find(const Key& key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second;
  }

  /// Takes the place of an earlier one: a renamed folder gets its new path so.
  void put(Key key, Place place) {
    const auto [found, is_new] = places_.try_emplace(std::move(key));
    if (!is_new) drop_from_account(*found);
    if (place.part != Part::root) accounts_[place.owner].insert(&found->first);
    found->second = std::move(place);
  }

  void erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    drop_from_account(*found);
    places_.erase(found);
  }

  /// Drops an account's places at or below a folder and calls `dropped` with the key of each.
  template <class Dropped>
  void forget(std::uint32_t account, const std::string& folder, const Dropped& dropped) {
    const auto found = accounts_.find(account);
    if (found == accounts_.end()) return;
    std::erase_if(found->second, [&](const Key* key) {
      const auto place = places_.find(*key);
      if (!is_at_or_below(place->second.path, folder)) return false;
      dropped(*key);
      places_.erase(place);
      return true;
    });
    if (found->second.empty()) accounts_.erase(found);
  }

  std::size_t size() const { return places_.size(); }

 private:
  void drop_from_account(const std::pair<const Key, Place>& entry) {
    if (entry.second.part == Part::root) return;
    const auto found = accounts_.find(entry.second.owner);
    if (found == accounts_.end()) return;
    found->second.erase(&entry.first);
    if (found->second.empty()) accounts_.erase(found);
  }

  std::unordered_map<Key, Place> places_;
  std::unordered_map<std::uint32_t, std::unordered_set<const Key*>> accounts_;  ///< into places_, whose nodes stay
};

}  // namespace maildirsync::agent
