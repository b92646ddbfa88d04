// Live changes: only the names that events told of are looked at. What makes that right, with the test that holds each
// (tests/unit/agent/look/look_test.cpp):
//
//  1. A control file names messages, and must not be newer than what is sent of them. Dovecot writes a message first
//  and
//     its line in the uidlist after it, but the events may be told in two portions. So control files are read first,
//     then the watcher is asked for all that it was told of until now, and these messages are looked at in this turn.
//     what_came_before_a_control_file_was_read_goes_before_it
//  2. Where that cannot be known (events were lost, or come as fast as they are read), control files wait for the next
//     turn. a_control_file_waits_while_it_is_not_known_what_came_before_it
//  3. A message may get another name between its event and the look. That it is missed under the old one does not make
//     it deleted as long as the new one may be on its way: the watcher was told of it before we missed it, so it is
//     asked again, k_rounds times; then both wait. a_message_that_gets_other_names_under_the_look_is_followed,
//     a_message_that_never_rests_is_not_taken_for_removed,
//     a_message_is_not_taken_for_removed_when_it_is_not_known_what_happened_since
//  4. What is told of a folder that was listed before is for the next turn, which is told of it as if it came now.
//     what_came_into_a_folder_after_it_was_listed_is_for_the_next_turn
//  5. A folder that vanished between its event and the look is believed in nothing; the next turn walks the account.
//  6. A message that is new here may be known in another folder of which no event has come: it is looked at there, too,
//     so that a move is a rename. Not where a control file had the inode: to look at that one now would be to read it
//     after the messages that it names. a_message_with_the_inode_of_a_control_file_does_not_lead_to_that

#include "agent/look/look_by_name.h"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "common/maildir/name.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::FolderManifest;

/// How often a turn follows messages that get other names while it looks, before its control files wait for the next.
constexpr int k_rounds = 8;

using Names = std::map<std::string, std::set<AreaName>>;  ///< by folder

std::string_view base_of(const AreaName& name) {
  return name.area == Area::folder ? std::string_view(name.name) : maildir::base_of(name.name);
}

class NameLook {
 public:
  NameLook(const TurnOrder& order, State& state, BothSides& sides, const os::Directory& account)
      : order_(order), state_(state), sides_(sides), account_(account) {}

  Result<Structure> run() {
    Names messages, control;
    for (const auto& [path, dirt] : order_.work.folders) {
      const FolderManifest* known = sides_.known().find(path);
      if (known == nullptr) {
        structure_ = Structure::changed;
      } else if (dirt.everything) {
        MAILDIRSYNC_TRY(list_folder(*known));
      } else {
        for (const auto& name : dirt.names)
          (name.area == Area::folder ? control : messages)[path].insert(name);
      }
    }
    MAILDIRSYNC_TRY(add_names(control));
    if (!control.empty() && !add_later(messages)) {
      put_off(control);
      control.clear();
    }
    for (int round = 0; !messages.empty(); ++round) {
      MAILDIRSYNC_TRY(add_names(messages));
      const auto missed = those_missed(messages);
      if (missed.empty()) break;
      // They went, or got other names since: then the watcher has been told before we missed them.
      messages.clear();
      if (round == k_rounds || !add_later(messages)) {
        put_off(control);
        put_off(missed);
        break;
      }
    }
    for (auto& [path, both] : folders_) {
      if (!both.vanished && !sides_.is_looked_at(path)) sides_.add(std::move(both.before), std::move(both.after));
    }
    return structure_;
  }

 private:
  /// A folder, as far as it was looked at.
  struct Folder {
    FolderManifest before, after;
    bool vanished = false;
  };

  Result<> list_folder(const FolderManifest& known) {
    FolderManifest before = known;
    MAILDIRSYNC_ASSIGN(before.entries, state_.entries(order_.account, known.path));
    auto scan = scan_folder(account_, known.path, before.entries, Depth::full);
    if (!scan && scan.error().code != ErrorCode::vanished) return Failure(scan.error());
    if (scan) sides_.take_scan(known.path, *scan);
    if (!scan || scan->manifest.inode != known.inode) {  // gone, or another folder has its place
      structure_ = Structure::changed;
      return {};
    }
    sides_.add(std::move(before), std::move(scan->manifest));
    return {};
  }

  Result<> add_names(const Names& all) {
    for (const auto& [path, names] : all)
      MAILDIRSYNC_TRY(add_names(path, names));
    return {};
  }

  Result<> add_names(const std::string& path, const std::set<AreaName>& names) {
    const FolderManifest* known = sides_.known().find(path);
    if (known == nullptr) {
      structure_ = Structure::changed;
      return {};
    }
    const auto [found, is_new] = folders_.try_emplace(path);
    Folder& folder = found->second;
    if (is_new) {
      folder.before = folder.after = *known;
      folder.before.scope = folder.after.scope = sync::Scope::names;
    }
    if (folder.vanished) return {};
    const auto added = sides_.add_names(account_, folder.before, folder.after, names);
    if (added || added.error().code != ErrorCode::vanished) return added;
    folder.vanished = true;
    structure_ = Structure::changed;
    return {};
  }

  /// What the watcher has been told of until now; false when that cannot be known. A folder that was listed before may
  /// lack it: that is for the next turn.
  bool add_later(Names& messages) {
    const auto later = order_.later ? order_.later() : std::nullopt;
    if (!later) return false;
    Look& look = sides_.look();
    look.later.merge(*later);
    for (const auto& [path, dirt] : later->folders) {
      if (!sides_.is_looked_at(path)) {
        messages[path].insert(dirt.names.begin(), dirt.names.end());
        continue;
      }
      for (const auto& name : dirt.names)
        look.again.add_name(path, name, later->oldest.value_or(Clock::now()));
    }
    return true;
  }

  /// Of the names that were told of, those that are not there under any flags.
  Names those_missed(const Names& messages) const {
    Names missed;
    for (const auto& [path, names] : messages) {
      const auto folder = folders_.find(path);
      if (folder == folders_.end() || folder->second.vanished) continue;
      std::unordered_set<std::string_view> seen;
      for (const auto& entry : folder->second.after.entries)
        seen.insert(sync::base_name(entry));
      for (const auto& name : names) {
        if (!seen.contains(base_of(name))) missed[path].insert(name);
      }
    }
    return missed;
  }

  /// These wait for the next turn: control files of which it is not known which messages they name, and messages that
  /// are renamed as fast as they are looked at, which must not be taken for deleted.
  void put_off(const Names& those) {
    Look& look = sides_.look();
    for (const auto& [path, names] : those) {
      std::unordered_set<std::string_view> bases;
      for (const auto& name : names) {
        if (name.area == Area::folder) look.snapshots.erase({path, name.area, name.name});
        look.again.add_name(path, name, order_.work.oldest.value_or(Clock::now()));
        bases.insert(base_of(name));
      }
      const auto folder = folders_.find(path);
      if (folder == folders_.end()) continue;
      for (auto* side : {&folder->second.before, &folder->second.after}) {
        std::erase_if(side->entries, [&](const Entry& entry) { return bases.contains(sync::base_name(entry)); });
      }
    }
  }

  const TurnOrder& order_;
  State& state_;
  BothSides& sides_;
  const os::Directory& account_;
  std::map<std::string, Folder> folders_;
  Structure structure_ = Structure::as_known;
};

}  // namespace

Result<Structure> look_by_name(const TurnOrder& order, State& state, BothSides& sides, const os::Directory& account) {
  return NameLook(order, state, sides, account).run();
}

}  // namespace maildirsync::agent
