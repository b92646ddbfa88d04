#include "agent/verify/pairs.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>

#include "common/sync/equality.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::EntryKind;
using sync::FolderManifest;

/// One folder's files, as those without a partner become fewer.
class Pairing {
 public:
  Pairing(const FolderManifest& source, const FolderManifest& destination, const AliasNames& aliases,
          const std::function<void(const Pair&)>& found)
      : source_(source), destination_(destination), aliases_(aliases), found_(found) {}

  Unpaired run() {
    by_name();
    by_alias();
    by_base([](const Entry& left, const Entry& right) { return sync::same_content(left, right); });
    by_base([](const Entry&, const Entry&) { return true; });
    by_stamp();
    return std::move(rest_);
  }

 private:
  void by_name() {
    auto left = source_.entries.begin();
    auto right = destination_.entries.begin();
    while (left != source_.entries.end() || right != destination_.entries.end()) {
      if (right == destination_.entries.end() ||
          (left != source_.entries.end() && sync::before_in_folder(*left, *right))) {
        rest_.at_source.push_back(&*left++);
      } else if (left == source_.entries.end() || sync::before_in_folder(*right, *left)) {
        rest_.at_destination.push_back(&*right++);
      } else if (alias_of(*left) != nullptr) {  // somebody else's has the name
        rest_.at_source.push_back(&*left++);
        rest_.at_destination.push_back(&*right++);
      } else {
        found_({Pair::By::name, &*left++, &*right++});
      }
    }
  }

  const std::string* alias_of(const Entry& entry) const {
    if (aliases_.empty() || entry.area == Area::folder) return nullptr;
    const auto found = aliases_.find({source_.path, std::string(sync::base_name(entry))});
    return found == aliases_.end() ? nullptr : &found->second;
  }

  void by_alias() {
    if (aliases_.empty()) return;
    std::erase_if(rest_.at_source, [&](const Entry* entry) {
      const std::string* alias = alias_of(*entry);
      if (alias == nullptr) return false;
      const auto found = std::find_if(
          rest_.at_destination.begin(), rest_.at_destination.end(),
          [&](const Entry* other) { return other->area != Area::folder && sync::base_name(*other) == *alias; });
      if (found == rest_.at_destination.end()) return false;
      found_({Pair::By::alias, entry, *found});
      rest_.at_destination.erase(found);
      return true;
    });
  }

  /// Messages of the same base name for which `fits`.
  template <class Fits>
  void by_base(Fits fits) {
    if (rest_.at_source.empty() || rest_.at_destination.empty()) return;
    std::unordered_multimap<std::string_view, const Entry*> by_base;
    for (const Entry* entry : rest_.at_destination) {
      if (entry->area != Area::folder) by_base.emplace(sync::base_name(*entry), entry);
    }
    by_key(
        by_base, [](const Entry& entry) { return sync::base_name(entry); }, fits);
  }

  /// A message with a base name that nobody knows and the stamp, to the nanosecond, of one that is missing is that one.
  void by_stamp() {
    if (rest_.at_source.empty() || rest_.at_destination.empty()) return;
    std::unordered_multimap<std::int64_t, const Entry*> by_time;
    for (const Entry* entry : rest_.at_destination) {
      if (entry->area != Area::folder && entry->kind == EntryKind::file) by_time.emplace(entry->mtime, entry);
    }
    by_key(
        by_time, [](const Entry& entry) { return entry.mtime; }, sync::same_content);
  }

  template <class Index, class Key, class Fits>
  void by_key(Index& index, Key key, Fits fits) {
    std::set<const Entry*> taken;
    std::erase_if(rest_.at_source, [&](const Entry* entry) {
      if (entry->area == Area::folder) return false;
      const auto [begin, end] = index.equal_range(key(*entry));
      const auto found =
          std::find_if(begin, end, [&](const auto& candidate) { return fits(*entry, *candidate.second); });
      if (found == end) return false;
      found_({Pair::By::message, entry, found->second});
      taken.insert(found->second);
      index.erase(found);
      return true;
    });
    std::erase_if(rest_.at_destination, [&](const Entry* entry) { return taken.contains(entry); });
  }

  const FolderManifest& source_;
  const FolderManifest& destination_;
  const AliasNames& aliases_;
  const std::function<void(const Pair&)>& found_;
  Unpaired rest_;
};

}  // namespace

Unpaired pair_up(const FolderManifest& source, const FolderManifest& destination, const AliasNames& aliases,
                 const std::function<void(const Pair&)>& found) {
  return Pairing(source, destination, aliases, found).run();
}

}  // namespace maildirsync::agent
