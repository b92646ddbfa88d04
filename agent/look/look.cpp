// A whole account is walked, and of each folder no more is read than its stamps ask for. The races, and the
// test that holds each (tests/unit/agent/look/look_test.cpp unless another file is named):
//
//  1. A directory is watched before it is listed: what changes before the listing is seen by it, and what
//     changes after it has an event. (tests/e2e/test_live.py)
//  2. A listing may miss a name that gets another one meanwhile, so nothing is removed for it unless the
//     directory's stamp was the same before and after (scan/folder.cpp)
//  3. A folder is not listed at all when its stamps are those of the last look. A stamp that was too young then
//     to show every change since is not kept. a_change_in_the_tick_of_the_last_look_is_found
//  4. A change in place leaves no trace in the stamps: only its event tells of it, so names that events told of
//     are looked at in folders that are pruned and listed alike.
//     a_message_that_changed_in_place_to_equal_length_is_sent
//  5. A folder that is renamed while the account is walked can be missed at both its places, or vanish before
//     it is listed. It is taken to be as it was, the structure is not whole (nothing of it is removed), and the
//     next turn walks again. a_folder_that_the_walk_missed_stays_as_it_was,
//     a_folder_that_vanished_between_the_walk_and_its_listing_stays_as_it_was
//  6. A message that is new in one folder may come from another that was pruned, or is gone by now: it is found
//     by its inode. a_copy_from_a_folder_that_was_renamed_since_is_a_link,
//     a_message_of_another_name_from_a_folder_that_is_gone_is_sent

#include "agent/look/look.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "agent/look/both_sides.h"
#include "agent/look/look_by_name.h"
#include "agent/look/reused_inodes.h"
#include "agent/scan/structure.h"
#include "common/os/explained.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::FolderManifest;

/// Each directory with its owner may have been given to another one with all that is in it (`chown -R`), which no stamp
/// tells of.
bool has_changed_hands(const FolderManifest& known, const FolderManifest& folder) {
  return known.self != folder.self || known.cur != folder.cur || known.new_ != folder.new_;
}

/// Whether a directory is as it was when its stamp was acknowledged; 0 stands for a stamp that cannot be trusted.
bool is_as_acknowledged(std::int64_t then, std::int64_t now) {
  return then != 0 && then == now;
}

class WholeLook {
 public:
  WholeLook(const TurnOrder& order, State& state, Watcher& watcher, BothSides& sides)
      : order_(order), state_(state), watcher_(watcher), sides_(sides), look_(sides.look()) {}

  Result<Structure> run() {
    look_.whole = true;
    auto walked = walk();
    MAILDIRSYNC_ASSIGN(const auto stamps, state_.stamps(order_.account));
    look_.after.exists = walked.manifest.exists;
    look_.after.structure_whole = walked.manifest.structure_whole;
    look_.before.structure_whole = true;
    look_.mounts = std::move(walked.mounts);
    if (!walked.manifest.exists) {
      for (const auto& folder : sides_.known().folders)
        MAILDIRSYNC_TRY(sides_.add_before(folder));
      return Structure::as_known;
    }
    MAILDIRSYNC_ASSIGN(const auto account, order_.root->open_directory(order_.account_path));
    for (const auto& folder : sides_.known().folders)
      by_inode_.emplace(folder.inode, &folder);
    std::set<std::string> listed;
    for (auto& folder : walked.manifest.folders) {
      const FolderManifest* known = known_as(folder);
      if (known != nullptr) listed.insert(known->path);
      const auto seen = stamps.find(folder.path);
      const Stamps* acknowledged = seen == stamps.end() ? nullptr : &seen->second;
      const Stamps now = walked.stamps[folder.path];
      MAILDIRSYNC_TRY(look_at(account, known, std::move(folder), acknowledged, now));
    }
    for (const auto& folder : sides_.known().folders) {  // those that are gone
      if (!listed.contains(folder.path)) MAILDIRSYNC_TRY(sides_.add_before(folder));
    }
    if (!look_.after.structure_whole) keep_what_was_not_seen();
    if (is_first()) return structure_;
    // A new folder may hold links of messages in folders that were pruned, or messages that moved from there.
    MAILDIRSYNC_ASSIGN(const Structure followed, sides_.follow_inodes(account));
    return followed == Structure::changed ? followed : structure_;
  }

 private:
  bool is_first() const { return sides_.known().folders.empty(); }

  StructureScan walk() {
    auto walked = scan_structure(*order_.root, order_.account_path,
                                 [this](const os::Directory& directory, const std::string& folder, Part part) {
                                   watch(directory, folder, part);
                                 });
    look_.unwatched = unwatched_.size();
    if (is_first()) look_.acls += walked.acls;
    for (auto& problem : walked.problems)
      look_.problems.push_back({problem.code, problem.path, problem.detail});
    return walked;
  }

  void watch(const os::Directory& directory, const std::string& folder, Part part) {
    const auto watched = watcher_.watch(directory, {part, order_.account, folder});
    if (!watched && watched.error().code != ErrorCode::vanished && unwatched_.insert(folder).second) {
      look_.problems.push_back({watched.error().code, folder, watched.error().message()});
    }
  }

  /// What the state knows the folder as: by its path, or, if it was renamed, by its inode. nullptr for a new one.
  const FolderManifest* known_as(const FolderManifest& folder) const {
    const FolderManifest* known = sides_.known().find(folder.path);
    if (known != nullptr && known->inode == folder.inode) return known;
    const auto renamed = by_inode_.find(folder.inode);
    return renamed != by_inode_.end() ? renamed->second : known;
  }

  Result<> look_at(const os::Directory& account, const FolderManifest* known, FolderManifest folder,
                   const Stamps* acknowledged, const Stamps& now) {
    const bool moved = known != nullptr && known->path != folder.path;
    const bool full = names_everything(folder.path) || (known != nullptr && has_changed_hands(*known, folder));
    const bool may_be_pruned = known != nullptr && acknowledged != nullptr && !moved && !full && !order_.work.compare &&
                               !names_control(folder.path);
    if (may_be_pruned && is_unchanged(account, folder, *acknowledged, now)) {
      return unchanged_folder(account, *known, std::move(folder));
    }
    return changed_folder(account, known, std::move(folder), full ? Depth::full : Depth::names);
  }

  bool names_everything(const std::string& folder) const {
    if (order_.work.full) return true;
    const auto found = order_.work.folders.find(folder);
    return found != order_.work.folders.end() && found->second.everything;
  }

  /// A control file that is read now may name messages that nobody told of: the folder is listed after it.
  bool names_control(const std::string& folder) const {
    const auto found = order_.work.folders.find(folder);
    return found != order_.work.folders.end() &&
           std::any_of(found->second.names.begin(), found->second.names.end(),
                       [](const AreaName& name) { return name.area == Area::folder; });
  }

  bool is_unchanged(const os::Directory& account, const FolderManifest& folder, const Stamps& acknowledged,
                    const Stamps& now) {
    if (!is_as_acknowledged(acknowledged.self, now.self)) return false;
    if (folder.cur && !is_as_acknowledged(acknowledged.cur, now.cur)) return false;
    if (folder.new_ && !is_as_acknowledged(acknowledged.new_, now.new_)) return false;
    const auto control = state_.control_entries(order_.account, folder.path);
    if (!control) return false;
    const auto changed = control_changed(account, folder.path, *control);
    return changed && !*changed;
  }

  /// No name came or went: only the names that events told of are looked at.
  Result<> unchanged_folder(const os::Directory& account, FolderManifest before, FolderManifest after) {
    const std::string path = after.path;
    before.scope = after.scope = sync::Scope::names;
    sides_.add(std::move(before), std::move(after));
    const auto dirt = order_.work.folders.find(path);
    if (dirt == order_.work.folders.end()) return {};
    const auto added =
        sides_.add_names(account, look_.before.folders.back(), look_.after.folders.back(), dirt->second.names);
    if (added || added.error().code != ErrorCode::vanished) return added;
    walk_is_old();
    return {};
  }

  Result<> changed_folder(const os::Directory& account, const FolderManifest* known, FolderManifest shape,
                          Depth depth) {
    FolderManifest before;
    if (known != nullptr) {
      before = *known;
      MAILDIRSYNC_ASSIGN(before.entries, state_.entries(order_.account, known->path));
    }
    auto scan = scan_folder(account, shape.path, before.entries, depth);
    if (!scan && scan.error().code != ErrorCode::vanished) {
      return unreadable_folder(known, std::move(shape), scan.error());
    }
    if (!scan) {
      walk_is_old();
      return known != nullptr ? sides_.add_before(*known) : Result<>();
    }
    if (depth == Depth::names) look_again_at_names(account, shape.path, before.entries, *scan);
    sides_.take_scan(shape.path, *scan);
    scan->manifest.path = shape.path;
    if (known != nullptr) look_.before.folders.push_back(std::move(before));
    look_.after.folders.push_back(std::move(scan->manifest));
    return {};
  }

  /// A folder of the walk has vanished since.
  void walk_is_old() {
    look_.after.structure_whole = false;
    structure_ = Structure::changed;
  }

  /// It is there, so that what lies below it has its place, and nothing in it is touched.
  Result<> unreadable_folder(const FolderManifest* known, FolderManifest shape, const Error& error) {
    look_.after.structure_whole = false;
    const Error told = os::explained(error, os::Side::source);
    look_.problems.push_back({told.code, shape.path, told.message()});
    if (known != nullptr) {
      MAILDIRSYNC_TRY(sides_.add_before(*known));
      shape.entries = look_.before.folders.back().entries;
    } else {
      shape.scope = sync::Scope::names;
    }
    look_.after.folders.push_back(std::move(shape));
    return {};
  }

  /// A listing does not see that a known message changed in place; the events that told of it do.
  void look_again_at_names(const os::Directory& account, const std::string& folder, const std::vector<Entry>& known,
                           FolderScan& scan) const {
    const auto dirt = order_.work.folders.find(folder);
    if (dirt == order_.work.folders.end() || dirt->second.names.empty()) return;
    const auto fresh = scan_names(account, folder, {dirt->second.names.begin(), dirt->second.names.end()}, known);
    if (!fresh) return;
    for (const auto& entry : fresh->manifest.entries) {
      const auto found =
          std::lower_bound(scan.manifest.entries.begin(), scan.manifest.entries.end(), entry, sync::before_in_folder);
      const bool listed =
          found != scan.manifest.entries.end() && found->area == entry.area && found->name == entry.name;
      if (listed && entry.area != Area::folder) *found = entry;
    }
  }

  /// What the walk missed, below a directory that is unreadable or was renamed meanwhile, is taken to be as it was:
  /// nothing of it is removed, and what was copied from it is linked to there.
  void keep_what_was_not_seen() {
    std::unordered_set<std::uint64_t> seen;
    for (const auto& folder : look_.after.folders)
      seen.insert(folder.inode);
    for (const auto& folder : look_.before.folders) {
      if (look_.after.find(folder.path) != nullptr || seen.contains(folder.inode)) continue;
      look_.unseen.insert(folder.path);
    }
    for (const auto& folder : look_.before.folders) {
      if (look_.unseen.contains(folder.path)) look_.after.folders.push_back(folder);
    }
  }

  const TurnOrder& order_;
  State& state_;
  Watcher& watcher_;
  BothSides& sides_;
  Look& look_;
  std::unordered_map<std::uint64_t, const FolderManifest*> by_inode_;  ///< folders that the state knows
  std::set<std::string> unwatched_;
  Structure structure_ = Structure::as_known;
};

Result<Structure> look_at_names(const TurnOrder& order, State& state, BothSides& sides) {
  const auto account = order.root->open_directory(order.account_path);
  if (!account && account.error().code == ErrorCode::vanished) return Structure::changed;
  if (!account) return Failure(account.error());
  MAILDIRSYNC_ASSIGN(const Structure named, look_by_name(order, state, sides, *account));
  MAILDIRSYNC_ASSIGN(const Structure followed, sides.follow_inodes(*account));
  return followed == Structure::changed ? followed : named;
}

}  // namespace

Result<> look(const TurnOrder& order, State& state, Watcher& watcher, Totals& totals, Look& look) {
  MAILDIRSYNC_ASSIGN(auto known, state.folders(order.account));
  const Work& work = order.work;
  const bool whole = work.is_whole() || known.folders.empty();
  BothSides sides(order, state, std::move(known), look);
  if (whole) ++totals.rescans;
  MAILDIRSYNC_ASSIGN(const Structure structure,
                     whole ? WholeLook(order, state, watcher, sides).run() : look_at_names(order, state, sides));
  if (structure == Structure::changed) look.again.structure = true;
  sides.sort();
  read_where_inodes_are_reused(*order.root, order.account_path, look.before, look.after);
  return {};
}

}  // namespace maildirsync::agent
