#include "agent/look/both_sides.h"

#include <algorithm>
#include <utility>

#include "common/sync/identity.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::FolderManifest;

void sort_entries(FolderManifest& folder) {
  std::sort(folder.entries.begin(), folder.entries.end(), sync::before_in_folder);
  const auto same = [](const Entry& left, const Entry& right) {
    return left.area == right.area && left.name == right.name;
  };
  folder.entries.erase(std::unique(folder.entries.begin(), folder.entries.end(), same), folder.entries.end());
}

std::vector<FolderManifest>::iterator find(std::vector<FolderManifest>& folders, const std::string& path) {
  return std::find_if(folders.begin(), folders.end(), [&](const FolderManifest& one) { return one.path == path; });
}

}  // namespace

bool BothSides::is_looked_at(const std::string& folder) const {
  return std::any_of(look_.after.folders.begin(), look_.after.folders.end(),
                     [&](const FolderManifest& one) { return one.path == folder; });
}

Result<> BothSides::add_before(const FolderManifest& folder) {
  MAILDIRSYNC_ASSIGN(auto entries, state_.entries(order_.account, folder.path));
  look_.before.folders.push_back(folder);
  look_.before.folders.back().entries = std::move(entries);
  return {};
}

void BothSides::add(FolderManifest before, FolderManifest after) {
  look_.before.folders.push_back(std::move(before));
  look_.after.folders.push_back(std::move(after));
}

void BothSides::take_scan(const std::string& folder, FolderScan& scan) {
  look_.acls += scan.new_acls;
  for (auto& problem : scan.problems)
    look_.problems.push_back({problem.code, problem.path, problem.detail});
  for (auto& [name, snapshot] : scan.control)
    keep_snapshot({folder, Area::folder, name}, std::move(snapshot));
  if (scan.whole && scan.manifest.scope == sync::Scope::everything) {
    look_.stamps[folder] = scan.stamps;
  } else if (!scan.whole) {
    look_.again.folders[folder].everything = true;
    look_.rests_in = std::max(look_.rests_in, std::chrono::nanoseconds(scan.rests_in));
  }
}

/// An account of many folders has many control files: what would be too much in memory is read again when it is sent.
void BothSides::keep_snapshot(const sync::Location& at, Snapshot snapshot) {
  constexpr std::size_t k_in_memory = 8 * 1024 * 1024;
  if (snapshot_bytes_ + snapshot.content.size() > k_in_memory) {
    snapshot = {.content = {}, .digest = digest_of(snapshot)};
  }
  snapshot_bytes_ += snapshot.content.size();
  look_.snapshots[at] = std::move(snapshot);
}

Result<> BothSides::add_names(const os::Directory& account, FolderManifest& before, FolderManifest& after,
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
  MAILDIRSYNC_ASSIGN(const auto known, state_.entries_named(order_.account, before.path, {bases.begin(), bases.end()}));
  for (const auto& entry : known)
    look_at.push_back({entry.area, entry.name});
  std::sort(look_at.begin(), look_at.end());
  look_at.erase(std::unique(look_at.begin(), look_at.end()), look_at.end());
  MAILDIRSYNC_ASSIGN(auto scan, scan_names(account, after.path, look_at, known));
  take_scan(after.path, scan);
  before.entries.insert(before.entries.end(), known.begin(), known.end());
  after.entries.insert(after.entries.end(), std::make_move_iterator(scan.manifest.entries.begin()),
                       std::make_move_iterator(scan.manifest.entries.end()));
  sort_entries(before);
  sort_entries(after);
  return {};
}

Result<Structure> BothSides::follow_inodes(const os::Directory& account) {
  const sync::KeptInodes kept(look_.before.folders, look_.after.folders);
  std::vector<std::uint64_t> inodes;
  for (const auto& folder : look_.after.folders) {
    for (const auto& entry : folder.entries) {
      if (entry.area != Area::folder && !kept.contains(entry.inode)) inodes.push_back(entry.inode);
    }
  }
  if (inodes.empty()) return Structure::as_known;
  MAILDIRSYNC_ASSIGN(const auto found, state_.find_inodes(order_.account, inodes));
  std::map<std::string, std::set<AreaName>> more;
  for (const auto& known : found) {
    // A control file that was written anew leaves its inode to a message. To look at it now would be to read it
    // after the messages that it names.
    if (known.entry.area != Area::folder) more[known.folder].insert({known.entry.area, known.entry.name});
  }
  Structure structure = Structure::as_known;
  for (const auto& [path, names] : more) {
    auto before = find(look_.before.folders, path);
    if (before == look_.before.folders.end()) {
      const FolderManifest* known = known_.find(path);
      if (known == nullptr) continue;
      add(*known, *known);
      look_.before.folders.back().scope = look_.after.folders.back().scope = sync::Scope::names;
      before = std::prev(look_.before.folders.end());
    } else if (before->scope == sync::Scope::everything) {
      continue;
    }
    const auto after = find(look_.after.folders, path);
    const auto added = add_names(account, *before, *after, names);
    if (!added && added.error().code != ErrorCode::vanished) return Failure(added.error());
    if (!added) {
      structure = Structure::changed;
      add_as_known(*before, *after, found);
    }
  }
  return structure;
}

/// A folder that was renamed or removed since is at the destination as it was, until a later turn tells of that: a
/// message of the same base name can be linked from there.
void BothSides::add_as_known(FolderManifest& before, FolderManifest& after,
                             const std::vector<State::Known>& found) const {
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

void BothSides::sort() {
  const auto by_path = [](const FolderManifest& left, const FolderManifest& right) { return left.path < right.path; };
  std::sort(look_.before.folders.begin(), look_.before.folders.end(), by_path);
  std::sort(look_.after.folders.begin(), look_.after.folders.end(), by_path);
}

}  // namespace maildirsync::agent
