#include "common/sync/match.h"

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "common/sync/equality.h"
#include "common/sync/identity.h"

namespace maildirsync::sync {

namespace {

class Matching {
 public:
  Matching(const std::vector<Present>& before, const AccountManifest& known, const AccountManifest& after)
      : before_(before), known_(known), after_(after) {
    for (const auto& folder : before_)
      matches_.retained.emplace_back(folder.entries.size(), false);
  }

  Matches run() {
    match_entries();
    find_sources();
    return std::move(matches_);
  }

 private:
  /// Walks each folder's sorted entries on both sides: what stays is retained, what is new or changed is to be made.
  void match_entries() {
    std::size_t b = 0;
    for (std::size_t a = 0; a < after_.folders.size(); ++a) {
      while (b < before_.size() && before_[b].path < after_.folders[a].path)
        ++b;
      match_folder(a, b);  // plan_folders saw to it that it is there
    }
  }

  void match_folder(std::size_t a, std::size_t b) {
    const auto& after = after_.folders[a].entries;
    const auto& before = before_[b].entries;
    std::size_t old = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      while (old < before.size() && before_in_folder(*before[old], after[i]))
        ++old;
      const bool present =
          old < before.size() && before[old]->area == after[i].area && before[old]->name == after[i].name;
      if (present && same_content(*before[old], after[i])) {
        matches_.retained[b][old] = true;
        if (!same_record(*before[old], after[i])) matches_.changed.push_back({{a, i}, {b, old}});
      } else {
        matches_.made.push_back({.after = {a, i}, .occupied = present ? before[old] : nullptr, .before_folder = b});
      }
    }
  }

  void find_sources() {
    if (matches_.made.empty()) return;
    std::unordered_set<std::uint64_t> wanted;  // of an account of a million, mostly a handful
    for (const auto& made : matches_.made)
      wanted.insert(after_entry(made.after).inode);
    std::unordered_map<std::uint64_t, std::vector<Place>> by_inode;
    for (std::size_t f = 0; f < before_.size(); ++f) {
      for (std::size_t e = 0; e < before_[f].entries.size(); ++e) {
        const Entry& entry = *before_[f].entries[e];
        if (entry.area != Area::folder && entry.kind == EntryKind::file && entry.inode != 0 &&
            wanted.contains(entry.inode)) {
          by_inode[entry.inode].push_back({f, e});
        }
      }
    }
    const KeptInodes kept(known_.folders, after_.folders);
    std::unordered_map<std::uint64_t, Place> put_inodes;
    for (auto& made : matches_.made) {
      const Entry& entry = after_entry(made.after);
      if (entry.area == Area::folder || entry.kind != EntryKind::file || made.occupied != nullptr) continue;
      if (const auto found = by_inode.find(entry.inode); entry.inode != 0 && found != by_inode.end()) {
        for (const Place place : found->second) {
          const Entry& candidate = before_entry(place);
          if (sameness(candidate, entry, kept) != Sameness::same) continue;
          // Of several links of one message, its own earlier name: then each flag change is one rename.
          const bool own = place.folder == made.before_folder && base_name(candidate) == base_name(entry);
          if (own || !made.source) made.source = place;
          if (own) break;
        }
      }
      if (!made.source) made.source = listed_twin(made, entry);
      if (!made.source && entry.inode != 0) {
        const auto [twin, first] = put_inodes.emplace(entry.inode, made.after);
        if (!first && same_message(after_entry(twin->second), entry)) made.twin = twin->second;
      }
    }
  }

  /// An entry whose inode is not known (the receiver listed it) is found by its base name, within its folder.
  std::optional<Place> listed_twin(const Made& made, const Entry& entry) {
    if (!listed_indexed_) {
      listed_indexed_ = true;
      for (std::size_t f = 0; f < before_.size(); ++f) {
        for (std::size_t e = 0; e < before_[f].entries.size(); ++e) {
          const Entry& old = *before_[f].entries[e];
          if (old.inode == 0 && old.area != Area::folder && !matches_.retained[f][e]) {
            listed_.emplace(std::string(base_name(old)), Place{f, e});
          }
        }
      }
    }
    const auto [begin, end] = listed_.equal_range(std::string(base_name(entry)));
    for (auto candidate = begin; candidate != end; ++candidate) {
      const Place place = candidate->second;
      if (place.folder == made.before_folder && same_message(before_entry(place), entry)) return place;
    }
    return std::nullopt;
  }

  const Entry& after_entry(Place place) const { return after_.folders[place.folder].entries[place.entry]; }
  const Entry& before_entry(Place place) const { return *before_[place.folder].entries[place.entry]; }

  const std::vector<Present>& before_;
  const AccountManifest& known_;
  const AccountManifest& after_;
  Matches matches_;
  std::unordered_multimap<std::string, Place> listed_;
  bool listed_indexed_ = false;
};

}  // namespace

Matches match(const std::vector<Present>& before, const AccountManifest& known, const AccountManifest& after) {
  return Matching(before, known, after).run();
}

}  // namespace maildirsync::sync
