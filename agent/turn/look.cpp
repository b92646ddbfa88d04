#include "agent/turn/look.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "agent/turn/reused_inodes.h"
#include "common/maildir/name.h"
#include "common/sync/identity.h"

namespace maildirsync::agent {

namespace {

using sync::AccountManifest;
using sync::Area;
using sync::Entry;
using sync::FolderManifest;

/// How often a turn follows messages that get other names while it looks, before its control files wait for the next.
constexpr int k_rounds = 8;

void sort_entries(FolderManifest& folder) {
  std::sort(folder.entries.begin(), folder.entries.end(), sync::before_in_folder);
  const auto same = [](const Entry& left, const Entry& right) {
    return left.area == right.area && left.name == right.name;
  };
  folder.entries.erase(std::unique(folder.entries.begin(), folder.entries.end(), same), folder.entries.end());
}

class Looker {
 public:
  Looker(const TurnOrder& order, State& state, Watcher& watcher, Totals& totals, TurnReport& report)
      : order_(order), state_(state), watcher_(watcher), totals_(totals), report_(report) {}

  Result<Look> run() {
    auto known = state_.folders(order_.account);
    if (!known) return Failure(known.error());
    known_ = std::move(*known);
    const Work& work = order_.work;
    if (work.structure || work.full || work.compare || first_time()) {
      MAILDIRSYNC_TRY(whole_account());
    } else {
      auto account = order_.root->open_directory(order_.account_path);
      if (!account) return look_wider(account.error());
      MAILDIRSYNC_TRY(some_folders(*account));
      MAILDIRSYNC_TRY(follow_inodes(*account));
    }
    const auto by_path = [](const FolderManifest& left, const FolderManifest& right) { return left.path < right.path; };
    std::sort(look_.before.folders.begin(), look_.before.folders.end(), by_path);
    std::sort(look_.after.folders.begin(), look_.after.folders.end(), by_path);
    read_doubtful(*order_.root, order_.account_path, look_.before, look_.after);
    return std::move(look_);
  }

 private:
  bool first_time() const { return known_.folders.empty(); }

  /// The structure is not as the state says: the next turn walks it.
  Result<Look> look_wider(const Error& error) {
    if (error.code != ErrorCode::vanished) return Failure(error);
    report_.again.structure = true;
    return Look{};
  }

  Result<> whole_account() {
    report_.structure = true;
    ++totals_.rescans;
    auto structure = scan_structure(*order_.root, order_.account_path,
                                    [this](const os::Directory& directory, const std::string& folder, char part) {
                                      watch(directory, folder, part);
                                    });
    report_.unwatched = unwatched_.size();
    if (first_time()) report_.acls += structure.acls;
    for (auto& problem : structure.problems) {
      report_.problems.push_back({problem.code, problem.path, problem.detail});
    }
    auto stamps = state_.stamps(order_.account);
    if (!stamps) return Failure(stamps.error());
    look_.after.exists = structure.manifest.exists;
    look_.after.structure_whole = structure.manifest.structure_whole;
    look_.before.structure_whole = true;
    look_.mounts = std::move(structure.mounts);
    if (!structure.manifest.exists) return known_but_gone();
    auto account = order_.root->open_directory(order_.account_path);
    if (!account) return Failure(account.error());
    std::unordered_map<std::uint64_t, const FolderManifest*> by_inode;
    for (const auto& folder : known_.folders)
      by_inode.emplace(folder.inode, &folder);
    std::set<std::string> listed;
    for (auto& folder : structure.manifest.folders) {
      const FolderManifest* known = known_.find(folder.path);
      if (known == nullptr || known->inode != folder.inode) {
        const auto renamed = by_inode.find(folder.inode);
        known = renamed != by_inode.end() ? renamed->second : known;
      }
      const bool moved = known != nullptr && known->path != folder.path;
      const auto seen = stamps->find(folder.path);
      const bool full = names_everything(folder.path) || (known != nullptr && has_changed_hands(*known, folder));
      const bool unchanged = known != nullptr && !moved && !full && !order_.work.compare &&
                             !names_control(folder.path) && seen != stamps->end() &&
                             is_unchanged(*account, folder, seen->second, structure.stamps[folder.path]);
      if (known != nullptr) listed.insert(known->path);
      if (unchanged) {
        MAILDIRSYNC_TRY(unchanged_folder(*account, *known, folder));
      } else {
        MAILDIRSYNC_TRY(changed_folder(*account, known, std::move(folder), full));
      }
    }
    for (const auto& folder : known_.folders) {  // those that are gone
      if (!listed.contains(folder.path)) MAILDIRSYNC_TRY(add_before(folder));
    }
    if (!look_.after.structure_whole) keep_what_was_not_seen();
    // A new folder may hold links of messages in folders that were pruned, or messages that moved from there.
    return first_time() ? Result<>{} : follow_inodes(*account);
  }

  Result<> known_but_gone() {
    for (const auto& folder : known_.folders)
      MAILDIRSYNC_TRY(add_before(folder));
    return {};
  }

  /// What the walk missed, behind a directory that is unreadable or was renamed meanwhile, is taken to be as it was:
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

  bool names_everything(const std::string& folder) const {
    if (order_.work.full) return true;
    const auto found = order_.work.folders.find(folder);
    return found != order_.work.folders.end() && found->second.everything;
  }

  /// Who gave its directories to another owner may have done so with all that is in them (`chown -R`), which no stamp
  /// tells of.
  static bool has_changed_hands(const FolderManifest& known, const FolderManifest& folder) {
    return known.self != folder.self || known.cur != folder.cur || known.new_ != folder.new_;
  }

  /// A control file that is read now may name messages that nobody told of: the folder is listed behind it.
  bool names_control(const std::string& folder) const {
    const auto found = order_.work.folders.find(folder);
    return found != order_.work.folders.end() &&
           std::any_of(found->second.names.begin(), found->second.names.end(),
                       [](const AreaName& name) { return name.area == Area::folder; });
  }

  bool is_unchanged(const os::Directory& account, const FolderManifest& folder, const Stamps& acknowledged,
                    const Stamps& now) {
    const auto trusted = [](std::int64_t then, std::int64_t current, bool exists) {
      return !exists || (then != 0 && then == current);
    };
    if (!trusted(acknowledged.self, now.self, true) || !trusted(acknowledged.cur, now.cur, folder.cur.has_value()) ||
        !trusted(acknowledged.new_, now.new_, folder.new_.has_value())) {
      return false;
    }
    auto control = state_.control_entries(order_.account, folder.path);
    if (!control) return false;
    const auto changed = control_changed(account, folder.path, *control);
    return changed && !*changed;
  }

  /// No name came or went: only the names that events told of are looked at.
  Result<> unchanged_folder(const os::Directory& account, const FolderManifest& known, const FolderManifest& shape) {
    FolderManifest before = known;
    FolderManifest after = shape;
    before.scope = after.scope = sync::Scope::names;
    const auto dirt = order_.work.folders.find(shape.path);
    report_.folders.insert(shape.path);
    look_.before.folders.push_back(std::move(before));
    look_.after.folders.push_back(std::move(after));
    if (dirt == order_.work.folders.end()) return {};
    const auto added = add_names(account, look_.before.folders.back(), look_.after.folders.back(), dirt->second.names);
    if (added || added.error().code != ErrorCode::vanished) return added;
    look_.after.structure_whole = false;  // the walk is old already
    report_.again.structure = true;
    return {};
  }

  Result<> changed_folder(const os::Directory& account, const FolderManifest* known, FolderManifest shape, bool full) {
    FolderManifest before;
    if (known != nullptr) {
      before = *known;
      auto entries = state_.entries(order_.account, known->path);
      if (!entries) return Failure(entries.error());
      before.entries = std::move(*entries);
    }
    auto scan = scan_folder(account, shape.path, before.entries, full ? Depth::full : Depth::names);
    if (scan && !full) look_again_at_names(account, shape.path, before.entries, *scan);
    if (!scan) {
      look_.after.structure_whole = false;
      if (scan.error().code != ErrorCode::vanished) return unreadable_folder(known, std::move(shape), scan.error());
      report_.again.structure = true;  // the walk is old already
      return known != nullptr ? add_before(*known) : Result<>();
    }
    take_scan(shape.path, *scan);
    scan->manifest.path = shape.path;
    if (known != nullptr) look_.before.folders.push_back(std::move(before));
    look_.after.folders.push_back(std::move(scan->manifest));
    return {};
  }

  /// It is there, for what lies below it, and nothing in it is touched.
  Result<> unreadable_folder(const FolderManifest* known, FolderManifest shape, const Error& error) {
    report_.problems.push_back({error.code, shape.path, error.message()});
    if (known != nullptr) {
      MAILDIRSYNC_TRY(add_before(*known));
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

  Result<> add_before(const FolderManifest& folder) {
    auto entries = state_.entries(order_.account, folder.path);
    if (!entries) return Failure(entries.error());
    look_.before.folders.push_back(folder);
    look_.before.folders.back().entries = std::move(*entries);
    return {};
  }

  void take_scan(const std::string& folder, FolderScan& scan) {
    report_.folders.insert(folder);
    report_.acls += scan.new_acls;
    for (auto& problem : scan.problems)
      report_.problems.push_back({problem.code, problem.path, problem.detail});
    for (auto& [name, snapshot] : scan.control)
      keep_snapshot({folder, Area::folder, name}, std::move(snapshot));
    if (scan.whole && scan.manifest.scope == sync::Scope::everything) {
      report_.stamps[folder] = scan.stamps;
    } else if (!scan.whole) {
      report_.again.folders[folder].everything = true;
      report_.rests_in = std::max(report_.rests_in, std::chrono::nanoseconds(scan.rests_in));
    }
  }

  /// An account of many folders has many control files: what would be too much in memory is read again when it is sent.
  void keep_snapshot(const sync::Location& at, Snapshot snapshot) {
    constexpr std::size_t k_in_memory = 8 * 1024 * 1024;
    if (snapshot_bytes_ + snapshot.content.size() > k_in_memory) {
      snapshot = {.content = {}, .digest = digest_of(snapshot)};
    }
    snapshot_bytes_ += snapshot.content.size();
    look_.snapshots[at] = std::move(snapshot);
  }

  struct Sides {
    FolderManifest before, after;
    bool vanished = false;
  };

  /// Control files first, then what events told of until then, then the messages: a control file that was read names
  /// no message that is not looked at.
  Result<> some_folders(const os::Directory& account) {
    std::map<std::string, Sides> sides;
    std::map<std::string, std::set<AreaName>> messages;
    std::map<std::string, std::set<AreaName>> control;
    for (const auto& [path, dirt] : order_.work.folders) {
      const FolderManifest* known = known_.find(path);
      if (known == nullptr) {
        report_.again.structure = true;
      } else if (dirt.everything) {
        MAILDIRSYNC_TRY(listed_folder(account, *known));
      } else {
        for (const auto& name : dirt.names)
          (name.area == Area::folder ? control : messages)[path].insert(name);
      }
    }
    for (const auto& [path, names] : control)
      MAILDIRSYNC_TRY(add_names_to(sides, account, path, names));
    if (!control.empty() && !add_later(messages)) {
      put_off(sides, control);
      control.clear();
    }
    for (int round = 0; !messages.empty(); ++round) {
      for (const auto& [path, names] : messages)
        MAILDIRSYNC_TRY(add_names_to(sides, account, path, names));
      const auto missed = those_missed(sides, messages);
      if (missed.empty()) break;
      // They went, or got other names since: then the watcher has been told before we missed them.
      messages.clear();
      if (round == k_rounds || !add_later(messages)) {
        put_off(sides, control);
        put_off(sides, missed);
        break;
      }
    }
    for (auto& [path, both] : sides) {
      if (both.vanished || is_looked_at(path)) continue;
      look_.before.folders.push_back(std::move(both.before));
      look_.after.folders.push_back(std::move(both.after));
    }
    return {};
  }

  /// What the watcher has been told of until now; false when that cannot be known. A folder that was listed before may
  /// lack it: that is for the next turn.
  bool add_later(std::map<std::string, std::set<AreaName>>& messages) {
    const auto later = order_.later ? order_.later() : std::nullopt;
    if (!later) return false;
    report_.later.merge(*later);
    for (const auto& [path, dirt] : later->folders) {
      if (is_looked_at(path)) {
        for (const auto& name : dirt.names)
          report_.again.add_name(path, name, later->oldest.value_or(Clock::now()));
      } else {
        messages[path].insert(dirt.names.begin(), dirt.names.end());
      }
    }
    return true;
  }

  /// Of the names that were told of, those that are not there under any flags.
  static std::map<std::string, std::set<AreaName>> those_missed(
      const std::map<std::string, Sides>& sides, const std::map<std::string, std::set<AreaName>>& messages) {
    std::map<std::string, std::set<AreaName>> missed;
    for (const auto& [path, names] : messages) {
      const auto both = sides.find(path);
      if (both == sides.end() || both->second.vanished) continue;
      std::unordered_set<std::string_view> seen;
      for (const auto& entry : both->second.after.entries)
        seen.insert(sync::base_name(entry));
      for (const auto& name : names) {
        if (!seen.contains(base_of(name))) missed[path].insert(name);
      }
    }
    return missed;
  }

  static std::string_view base_of(const AreaName& name) {
    return name.area == Area::folder ? std::string_view(name.name) : maildir::base_of(name.name);
  }

  bool is_looked_at(const std::string& path) const {
    return std::any_of(look_.after.folders.begin(), look_.after.folders.end(),
                       [&](const FolderManifest& folder) { return folder.path == path; });
  }

  Result<> add_names_to(std::map<std::string, Sides>& sides, const os::Directory& account, const std::string& path,
                        const std::set<AreaName>& names) {
    const FolderManifest* known = known_.find(path);
    if (known == nullptr) {
      report_.again.structure = true;
      return {};
    }
    const auto [found, is_new] = sides.try_emplace(path);
    Sides& both = found->second;
    if (is_new) {
      both.before = both.after = *known;
      both.before.scope = both.after.scope = sync::Scope::names;
    }
    if (both.vanished) return {};
    const auto added = add_names(account, both.before, both.after, names);
    if (added) return {};
    if (added.error().code != ErrorCode::vanished) return added;
    both.vanished = true;
    report_.again.structure = true;
    return {};
  }

  /// These wait for the next turn: control files of which it is not known which messages they name, and messages that
  /// are renamed as fast as they are looked at, which must not be taken for deleted.
  void put_off(std::map<std::string, Sides>& sides, const std::map<std::string, std::set<AreaName>>& those) {
    for (const auto& [path, names] : those) {
      std::unordered_set<std::string_view> bases;
      for (const auto& name : names) {
        if (name.area == Area::folder) look_.snapshots.erase({path, name.area, name.name});
        report_.again.add_name(path, name, order_.work.oldest.value_or(Clock::now()));
        bases.insert(base_of(name));
      }
      const auto found = sides.find(path);
      if (found == sides.end()) continue;
      for (auto* side : {&found->second.before, &found->second.after}) {
        std::erase_if(side->entries, [&](const Entry& entry) { return bases.contains(sync::base_name(entry)); });
      }
    }
  }

  Result<> listed_folder(const os::Directory& account, const FolderManifest& known) {
    FolderManifest before = known;
    auto entries = state_.entries(order_.account, known.path);
    if (!entries) return Failure(entries.error());
    before.entries = std::move(*entries);
    auto scan = scan_folder(account, known.path, before.entries, Depth::full);
    if (!scan) {
      if (scan.error().code != ErrorCode::vanished) return Failure(scan.error());
      report_.again.structure = true;
      return {};
    }
    take_scan(known.path, *scan);
    if (scan->manifest.inode != known.inode) {  // another folder has its place: a matter of structure
      report_.again.structure = true;
      return {};
    }
    look_.before.folders.push_back(std::move(before));
    look_.after.folders.push_back(std::move(scan->manifest));
    return {};
  }

  /// Widens both sides of a folder by some names and all that share their base names, so that a renamed message is
  /// seen from both ends.
  Result<> add_names(const os::Directory& account, FolderManifest& before, FolderManifest& after,
                     const std::set<AreaName>& names) {
    std::set<std::string> bases;
    std::vector<AreaName> look_at;
    for (const auto& name : names) {
      Entry probe;
      probe.area = name.area;
      probe.name = name.name;
      bases.insert(std::string(sync::base_name(probe)));
      look_at.push_back(name);
    }
    auto known = state_.entries_named(order_.account, before.path, {bases.begin(), bases.end()});
    if (!known) return Failure(known.error());
    for (const auto& entry : *known)
      look_at.push_back({entry.area, entry.name});
    std::sort(look_at.begin(), look_at.end());
    look_at.erase(std::unique(look_at.begin(), look_at.end()), look_at.end());
    auto scan = scan_names(account, after.path, look_at, *known);
    if (!scan) return Failure(scan.error());
    take_scan(after.path, *scan);
    before.entries.insert(before.entries.end(), known->begin(), known->end());
    after.entries.insert(after.entries.end(), std::make_move_iterator(scan->manifest.entries.begin()),
                         std::make_move_iterator(scan->manifest.entries.end()));
    sort_entries(before);
    sort_entries(after);
    return {};
  }

  /// A message that is new in its folder may be known in another one, that nobody spoke of yet: it is looked at too.
  Result<> follow_inodes(const os::Directory& account) {
    const auto kept = sync::kept_inodes(look_.before.folders, look_.after.folders);
    std::vector<std::uint64_t> inodes;
    for (const auto& folder : look_.after.folders) {
      for (const auto& entry : folder.entries) {
        if (entry.area != Area::folder && !kept.contains(entry.inode)) inodes.push_back(entry.inode);
      }
    }
    if (inodes.empty()) return {};
    auto found = state_.find_inodes(order_.account, inodes);
    if (!found) return Failure(found.error());
    std::map<std::string, std::set<AreaName>> more;
    for (const auto& known : *found) {
      // A control file that was written anew leaves its inode to a message. To look at it now would be to read it
      // behind the messages that it names.
      if (known.entry.area != Area::folder) more[known.folder].insert({known.entry.area, known.entry.name});
    }
    for (const auto& [path, names] : more) {
      const auto same_path = [&path = path](const FolderManifest& folder) { return folder.path == path; };
      auto before = std::find_if(look_.before.folders.begin(), look_.before.folders.end(), same_path);
      if (before == look_.before.folders.end()) {
        const FolderManifest* known = known_.find(path);
        if (known == nullptr) continue;
        look_.before.folders.push_back(*known);
        look_.after.folders.push_back(*known);
        look_.before.folders.back().scope = look_.after.folders.back().scope = sync::Scope::names;
        before = std::prev(look_.before.folders.end());
      } else if (before->scope == sync::Scope::everything) {
        continue;
      }
      const auto after = std::find_if(look_.after.folders.begin(), look_.after.folders.end(), same_path);
      const auto added = add_names(account, *before, *after, names);
      if (!added && added.error().code != ErrorCode::vanished) return added;
      if (!added) {
        report_.again.structure = true;
        add_as_known(*before, *after, *found);
      }
    }
    return {};
  }

  /// A folder that was renamed or removed since is at the destination as it was, until a later turn tells of that: a
  /// message of the same base name can be linked from there.
  void add_as_known(FolderManifest& before, FolderManifest& after, const std::vector<State::Known>& found) const {
    std::set<std::string> bases;
    for (const auto& folder : look_.after.folders) {
      for (const auto& entry : folder.entries)
        bases.emplace(sync::base_name(entry));
    }
    for (const auto& known : found) {
      if (known.folder != before.path || !bases.contains(std::string(sync::base_name(known.entry)))) continue;
      before.entries.push_back(known.entry);
      after.entries.push_back(known.entry);
    }
    sort_entries(before);
    sort_entries(after);
  }

  void watch(const os::Directory& directory, const std::string& folder, char part) {
    const Part kind = part == 'c' ? Part::cur : part == 'n' ? Part::new_ : part == 't' ? Part::tmp : Part::folder;
    const auto watched = watcher_.watch(directory, {kind, order_.account, folder});
    if (!watched && watched.error().code != ErrorCode::vanished && unwatched_.insert(folder).second) {
      report_.problems.push_back({watched.error().code, folder, watched.error().message()});
    }
  }

  const TurnOrder& order_;
  State& state_;
  Watcher& watcher_;
  Totals& totals_;
  TurnReport& report_;
  AccountManifest known_;
  Look look_;
  std::size_t snapshot_bytes_ = 0;
  std::set<std::string> unwatched_;
};

}  // namespace

Result<Look> look(const TurnOrder& order, State& state, Watcher& watcher, Totals& totals, TurnReport& report) {
  return Looker(order, state, watcher, totals, report).run();
}

}  // namespace maildirsync::agent
