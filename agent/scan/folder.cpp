// The listing of one folder under deliveries, flag changes and expunges. The races, and the test that holds
// each (tests/unit/agent/scan/scan_folder_test.cpp):
//
//  1. readdir may miss a name that gets another one meanwhile. A listing is whole only when the stamps of cur/
//     and new/ were the same before and after it; else it is repeated, and at last what is known and was not
//     seen is taken to be there. removes_nothing_that_a_restless_listing_may_have_missed
//  2. A stamp that is as young as the clock's tick may be shared by a change to come: the listing waits for the
//     next tick, or the stamp is not remembered.
//     waits_until_a_change_to_come_cannot_share_the_stamp_of_the_last,
//     does_not_trust_a_stamp_that_a_change_to_come_could_share
//  3. Where stamps are whole seconds, that would be a second for each folder: two equal listings that miss
//     nothing known count, but remove nothing. removes_nothing_while_the_stamp_of_whole_seconds_is_young,
//     removes_it_once_the_stamp_of_whole_seconds_is_old
//  4. new/ is listed before cur/: a message goes from there to here, and so is seen twice rather than never.
//  5. Control files are read before messages are listed: a snapshot of a uidlist names no message that the
//     listing lacks. names_no_message_in_a_snapshot_that_it_does_not_list
//  6. A control file may be written while it is read, or twice within its stamp's second: it is read until it
//     rests, and one that is that young is read again by the next look.
//     reads_changed_control_files_as_they_were_at_the_scan, reads_a_control_file_of_this_very_second_again

#include "agent/scan/folder.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>
#include <unordered_set>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/scan/area_stamps.h"
#include "agent/scan/file_entry.h"
#include "common/maildir/name.h"
#include "common/maildir/own_names.h"
#include "common/os/clock.h"
#include "common/os/explained.h"
#include "common/os/kept_times.h"
#include "common/sync/equality.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;

/// So long a lane waits for a stamp to be old enough; for a file system of whole seconds, the next turn does.
constexpr std::int64_t k_short_wait = 20'000'000;  // ns
constexpr int k_tries = 3;
constexpr std::size_t k_small_control = 64 * 1024;

std::int64_t trusted(std::int64_t stamp, std::int64_t now) {
  return os::is_racy(stamp, now) ? 0 : stamp;
}

/// Large files that name messages are read with the small ones, before the messages are listed.
bool names_messages(const std::string& name) {
  return name == "dovecot-uidlist" || name == "dovecot-keywords" || name == "maildirsize" ||
         name.starts_with("courier");
}

/// One folder, as far as it was looked at.
class FolderWalk {
 public:
  FolderWalk(const std::string& folder, const std::vector<Entry>& known) : folder_(folder), known_(known) {
    scan_.manifest.path = folder;
  }

  Result<> open(const os::Directory& account) {
    MAILDIRSYNC_ASSIGN(auto self, account.open_directory(folder_));
    self_ = std::move(self);
    MAILDIRSYNC_ASSIGN(auto status, self_.status(""));
    scan_.manifest.inode = status.st_ino;
    std::size_t of_directories = 0;  // counted by the walk of the structure
    scan_.manifest.self = attributes_of(self_, "", status, of_directories);
    scan_.stamps.self = trusted(os::nanoseconds(status.st_mtim), os::wall_clock());
    MAILDIRSYNC_TRY(open_area("cur", cur_, scan_.manifest.cur));
    MAILDIRSYNC_TRY(open_area("new", new_, scan_.manifest.new_));
    const auto tmp = self_.status("tmp");  // nobody looks into it
    if (tmp && S_ISDIR(tmp->st_mode)) scan_.manifest.tmp = attributes_of(self_, "tmp", *tmp, of_directories);
    return {};
  }

  Result<> list_control() {
    MAILDIRSYNC_ASSIGN(auto names, self_.list());
    std::unordered_set<std::string_view> listed;
    for (const auto& name : names) {
      if (name.type == DT_DIR) continue;
      if (maildir::is_left_out(name.name)) {
        tell_reserved(Area::folder, name.name);
        continue;
      }
      listed.insert(name.name);
      add_control(name.name);
    }
    // A listing may miss what is renamed meanwhile; a name that is asked for is not missed.
    for (const auto& entry : known_) {
      if (entry.area == Area::folder && !listed.contains(entry.name)) add_control(entry.name);
    }
    return {};
  }

  /// Lists until a listing is whole, or as often as is sensible on a folder that never rests. Where stamps are whole
  /// seconds, one that is younger than that cannot tell; then two listings that are equal, and miss nothing that is
  /// known, are taken for whole: they cannot lead to a deletion.
  Result<> list_messages(Depth depth) {
    std::vector<Entry> former;
    bool again = false;
    for (int i = 0; i < k_tries; ++i) {
      MAILDIRSYNC_ASSIGN(const auto rest, list_messages_once(depth));
      if (rest == Rest::rested) return {};
      if (rest == Rest::moved) {
        again = false;
        continue;
      }
      sort();
      if (again && former == scan_.manifest.entries) {
        if (misses_nothing_known()) return {};
        MAILDIRSYNC_TRY(note_rest());
        break;
      }
      former = scan_.manifest.entries;
      again = true;
    }
    scan_.whole = false;
    keep_known_that_were_not_seen();
    keep_known_control();
    return {};
  }

  void add_control(const std::string& name) {
    auto status = self_.status(name);
    if (!status) {
      if (status.error().code != ErrorCode::vanished)
        add_problem(Area::folder, problem_of(status.error(), Area::folder, name));
      return;
    }
    if (S_ISDIR(status->st_mode)) return;
    const Entry* known = sync::find_entry(known_, Area::folder, name);
    auto entry = entry_of(self_, Area::folder, name, *status, known);
    if (!entry) return;
    if (known != nullptr && sync::same_version(*known, *entry)) {
      entry->digest = known->digest;
    } else if (entry->kind == sync::EntryKind::file && (entry->size <= k_small_control || names_messages(name))) {
      Snapshot content;
      const SnapshotEnd end = take_snapshot(self_, folder_, *entry, content);
      if (end == SnapshotEnd::restless) {
        scan_.whole = false;  // as it was, and looked at again
        if (known == nullptr) return;
        entry = *known;
      } else if (end == SnapshotEnd::taken) {
        doubt_young_control(*entry, content, known);
        scan_.control[name] = std::move(content);
      }
    }
    scan_.manifest.entries.push_back(std::move(*entry));
  }

  void add_message(Area area, const std::string& name) {
    const os::Directory& directory = area == Area::cur ? cur_ : new_;
    add_message(directory, area, name, sync::find_entry(known_, area, name));
  }

  /// Of what is left out: whether that is because a person gave it a name that is kept for files of ours.
  void tell_reserved(Area area, const std::string& name) {
    if (!name.starts_with(maildir::k_aside_prefix) || maildir::is_own_name(name) || !has_area(area)) return;
    const auto& directory = area == Area::folder ? self_ : area == Area::cur ? cur_ : new_;
    if (directory.status(name)) add_problem(area, reserved_name(sync::path_of({folder_, area, name})));
  }

  bool has_area(Area area) const { return area == Area::folder || static_cast<bool>(area == Area::cur ? cur_ : new_); }

  void sort() { std::sort(scan_.manifest.entries.begin(), scan_.manifest.entries.end(), sync::before_in_folder); }

  FolderScan take() {
    sort();
    return std::move(scan_);
  }

  FolderScan& scan() { return scan_; }

 private:
  Result<> open_area(const char* name, os::Directory& directory, std::optional<sync::Attributes>& attributes) {
    auto opened = self_.open_directory(name);
    if (opened) {
      MAILDIRSYNC_ASSIGN(auto status, opened->status(""));
      std::size_t of_directories = 0;
      attributes = attributes_of(*opened, "", status, of_directories);
      directory = std::move(*opened);
      return {};
    }
    const Error& error = opened.error();
    // A file or a link of that name is an entry like others.
    const bool is_none =
        error.code == ErrorCode::vanished || error.error_number == ENOTDIR || error.error_number == ELOOP;
    return is_none ? Result<>{} : Failure(error);
  }

  enum class Rest : std::uint8_t {
    rested,  ///< nothing changed while it was listed
    young,   ///< nothing that the stamps show, and they are too young to show all
    moved,
  };

  Result<Rest> list_messages_once(Depth depth) {
    std::erase_if(scan_.manifest.entries, [](const Entry& entry) { return entry.area != Area::folder; });
    std::erase_if(scan_.problems,
                  [&](const ScanProblem& problem) { return problems_of_messages_.contains(problem.path); });
    MAILDIRSYNC_ASSIGN(auto before, stamps_of(cur_, new_));
    std::int64_t now = os::wall_clock();
    if (const auto wait = rests_in(before, now); wait > 0 && wait <= k_short_wait) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
      MAILDIRSYNC_ASSIGN(before, stamps_of(cur_, new_));
      now = os::wall_clock();
    }
    // new/ first: a message moves from there to cur/, so it is seen twice rather than never.
    MAILDIRSYNC_TRY(list_area(new_, Area::new_, depth));
    MAILDIRSYNC_TRY(list_area(cur_, Area::cur, depth));
    MAILDIRSYNC_ASSIGN(auto after, stamps_of(cur_, new_));
    scan_.stamps.cur = trusted(before.cur, now);
    scan_.stamps.new_ = trusted(before.new_, now);
    const std::int64_t rests = rests_in(before, now);
    if (!(before == after) || (rests > 0 && rests <= k_short_wait)) return Rest::moved;
    return rests > 0 ? Rest::young : Rest::rested;
  }

  Result<> note_rest() {
    MAILDIRSYNC_ASSIGN(const auto stamps, stamps_of(cur_, new_));
    scan_.rests_in = rests_in(stamps, os::wall_clock());
    return {};
  }

  bool misses_nothing_known() const {
    std::unordered_set<std::uint64_t> seen;
    for (const auto& entry : scan_.manifest.entries)
      seen.insert(entry.inode);
    return std::all_of(known_.begin(), known_.end(), [&](const Entry& entry) {
      return entry.area == Area::folder || seen.contains(entry.inode) ||
             sync::find_entry(scan_.manifest.entries, entry.area, entry.name) != nullptr;
    });
  }

  Result<> list_area(const os::Directory& directory, Area area, Depth depth) {
    if (!directory) return {};
    MAILDIRSYNC_ASSIGN(auto names, directory.list());
    // In the order of inodes, which is that of the disk, where every message is asked for.
    std::sort(names.begin(), names.end(),
              [](const os::DirectoryEntry& left, const os::DirectoryEntry& right) { return left.inode < right.inode; });
    scan_.manifest.entries.reserve(scan_.manifest.entries.size() + names.size());
    for (auto& listed : names) {
      const os::DirectoryEntry name = std::move(listed);  // gone with its turn: a large folder's names are many
      if (maildir::is_left_out_of_messages(name.name)) {
        tell_reserved(area, name.name);
        continue;
      }
      const Entry* known = sync::find_entry(known_, area, name.name);
      if (depth == Depth::names && known != nullptr && known->inode == name.inode) {
        scan_.manifest.entries.push_back(*known);
      } else {
        add_message(directory, area, name.name, known);
      }
    }
    return {};
  }

  void add_message(const os::Directory& directory, Area area, const std::string& name, const Entry* known) {
    const auto status = directory.status(name);
    if (!status) {
      if (status.error().code != ErrorCode::vanished) add_problem(area, problem_of(status.error(), area, name));
      return;
    }
    auto entry = entry_of(directory, area, name, *status, known);
    if (!entry) return;
    if (known != nullptr && sync::same_version(*known, *entry)) entry->digest = known->digest;
    scan_.manifest.entries.push_back(std::move(*entry));
  }

  /// Written twice within a second, a control file may show the same size and whole second: what was read counts then.
  /// And one that is as young as that is read again by the next look.
  static void doubt_young_control(Entry& entry, const Snapshot& content, const Entry* known) {
    const bool as_known = known != nullptr && known->size == entry.size && known->mtime == entry.mtime;
    if (as_known) entry.digest = digest_of(content);
    if (os::trusted_from(entry.mtime) - entry.mtime > k_short_wait && os::is_racy(entry.mtime, os::wall_clock())) {
      entry.inode = 0;
    }
  }

  std::optional<Entry> entry_of(const os::Directory& directory, Area area, const std::string& name,
                                const struct stat& status, const Entry* known) {
    auto found = file_entry(directory, folder_, area, name, status);
    scan_.acls += found.acls;
    if (known == nullptr) scan_.new_acls += found.acls;
    if (found.problem) add_problem(area, std::move(*found.problem));
    return std::move(found.entry);
  }

  void keep_known_that_were_not_seen() {
    std::unordered_set<std::uint64_t> in_cur;
    for (const auto& entry : scan_.manifest.entries) {
      if (entry.area == Area::cur) in_cur.insert(entry.inode);
    }
    std::erase_if(scan_.manifest.entries, [&](const Entry& entry) {  // seen on its way from new/ to cur/
      return entry.area == Area::new_ && in_cur.contains(entry.inode);
    });
    std::unordered_set<std::uint64_t> inodes;
    for (const auto& entry : scan_.manifest.entries)
      inodes.insert(entry.inode);
    sort();
    std::vector<Entry> kept;
    for (const auto& entry : known_) {
      if (entry.area == Area::folder || inodes.contains(entry.inode)) continue;
      if (sync::find_entry(scan_.manifest.entries, entry.area, entry.name) == nullptr) kept.push_back(entry);
    }
    scan_.manifest.entries.insert(scan_.manifest.entries.end(), kept.begin(), kept.end());
  }

  /// A message may have been missed that a control file names: those wait for a listing that is whole.
  void keep_known_control() {
    scan_.control.clear();
    std::erase_if(scan_.manifest.entries, [](const Entry& entry) { return entry.area == Area::folder; });
    std::copy_if(known_.begin(), known_.end(), std::back_inserter(scan_.manifest.entries),
                 [](const Entry& entry) { return entry.area == Area::folder; });
  }

  ScanProblem problem_of(const Error& error, Area area, const std::string& name) const {
    const Error told = os::explained(error, os::Side::source);
    return {told.code, sync::path_of({folder_, area, name}), told.message()};
  }

  void add_problem(Area area, ScanProblem problem) {
    if (area != Area::folder) problems_of_messages_.insert(problem.path);
    scan_.problems.push_back(std::move(problem));
  }

  const std::string& folder_;
  const std::vector<Entry>& known_;
  os::Directory self_, cur_, new_;
  FolderScan scan_;
  std::unordered_set<std::string> problems_of_messages_;
};

}  // namespace

Result<FolderScan> scan_folder(const os::Directory& account, const std::string& folder, const std::vector<Entry>& known,
                               Depth depth) {
  FolderWalk walk(folder, known);
  MAILDIRSYNC_TRY(walk.open(account));
  MAILDIRSYNC_TRY(walk.list_control());
  MAILDIRSYNC_TRY(walk.list_messages(depth));
  return walk.take();
}

Result<FolderScan> scan_names(const os::Directory& account, const std::string& folder,
                              const std::vector<AreaName>& names, const std::vector<Entry>& known) {
  FolderWalk walk(folder, known);
  MAILDIRSYNC_TRY(walk.open(account));
  walk.scan().manifest.scope = sync::Scope::names;
  for (const auto& name : names) {
    if (name.area != Area::folder) continue;
    if (maildir::is_left_out(name.name)) {
      walk.tell_reserved(name.area, name.name);
    } else {
      walk.add_control(name.name);
    }
  }
  for (const auto& name : names) {
    if (name.area == Area::folder) continue;
    if (maildir::is_left_out_of_messages(name.name)) {
      walk.tell_reserved(name.area, name.name);
      continue;
    }
    if (!walk.has_area(name.area)) return failure(ErrorCode::vanished, folder, "the folder has no such directory");
    walk.add_message(name.area, name.name);
  }
  return walk.take();
}

Result<bool> control_changed(const os::Directory& account, const std::string& folder,
                             const std::vector<Entry>& known_control) {
  if (known_control.empty()) return false;
  MAILDIRSYNC_ASSIGN(auto directory, account.open_directory(folder));
  return std::any_of(known_control.begin(), known_control.end(), [&](const Entry& entry) {
    const auto status = directory.status(entry.name);
    return !status || status->st_ino != entry.inode || static_cast<std::uint64_t>(status->st_size) != entry.size ||
           os::nanoseconds(status->st_mtim) != entry.mtime;
  });
}

}  // namespace maildirsync::agent
