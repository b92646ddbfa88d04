#include "agent/state/recorder.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "common/maildir/name.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::Location;
using sync::OperationKind;
using MissingDigest = EntryTable::MissingDigest;

}  // namespace

Result<> Recorder::apply(const sync::Operation& operation) {
  switch (operation.kind) {
    case OperationKind::make_folder:
      return make_folder(operation.to.folder, operation.folder_inode, operation.folder);
    case OperationKind::rename_folder:
      return rename_folder(operation.from.folder, operation.to.folder, operation.folder_inode);
    case OperationKind::put:
    case OperationKind::put_control:
    case OperationKind::link:
    case OperationKind::set_attributes:
      return put(operation.to, operation.result);
    case OperationKind::rename:
      return rename(operation);
    case OperationKind::remove:
      return remove(operation.from);
    case OperationKind::remove_folder: {
      MAILDIRSYNC_ASSIGN(const auto folder, find_folder(operation.from.folder));
      return folder ? remove_folder({*folder, operation.from.folder}) : Result<>();
    }
  }
  return {};
}

Result<std::optional<FolderId>> Recorder::find_folder(const std::string& path) {
  if (const auto known = found_.find(path); known != found_.end()) return known->second;
  auto folder = tables_.folders.find(account_, path);
  if (folder) found_.emplace(path, *folder);
  return folder;
}

Result<> Recorder::make_folder(const std::string& path, std::uint64_t inode, const sync::FolderShape& shape) {
  MAILDIRSYNC_ASSIGN(const auto known, find_folder(path));
  if (!known) ++change_.folders;
  found_.clear();
  return tables_.folders.put(account_, path, inode, shape);
}

Result<bool> Recorder::look(const State::FolderLook& look) {
  MAILDIRSYNC_ASSIGN(const auto folder, find_folder(look.folder));
  if (!folder) return true;  // others' folder, or one that is gone
  MAILDIRSYNC_ASSIGN(const auto known, tables_.folders.look(*folder));
  if (known == 0) return true;  // stays unknown until it is compared
  const bool as_left = look.before == 0 || look.before == known;
  MAILDIRSYNC_TRY(tables_.folders.set_look(*folder, as_left ? look.after : 0));
  return as_left;
}

Result<> Recorder::rename_folder(const std::string& from, const std::string& to, std::uint64_t inode) {
  MAILDIRSYNC_ASSIGN(auto moved, tables_.folders.subtree(account_, from));
  found_.clear();
  std::unordered_set<FolderId> moving;
  for (const auto& folder : moved)
    moving.insert(folder.id);
  // Where `from` and `to` lie below each other, a folder must not come upon one that has yet to move: the longest
  // paths go first when they become longer, the shortest when they become shorter.
  const bool longest_first = to.size() > from.size();
  std::sort(moved.begin(), moved.end(), [&](const auto& left, const auto& right) {
    return longest_first ? left.path.size() > right.path.size() : left.path.size() < right.path.size();
  });
  for (const auto& folder : moved) {
    const std::string path = to + folder.path.substr(from.size());
    MAILDIRSYNC_ASSIGN(const auto taken, tables_.folders.find(account_, path));
    if (taken && !moving.contains(*taken)) MAILDIRSYNC_TRY(remove_folder({*taken, path}));
    MAILDIRSYNC_TRY(tables_.folders.set_path(folder.id, path));
    MAILDIRSYNC_TRY(tables_.aliases.move_folder(account_, folder.path, path));
    if (folder.path == from) MAILDIRSYNC_TRY(tables_.folders.set_inode(folder.id, inode));
  }
  return {};
}

Result<> Recorder::remove_folder(const FolderTable::Row& folder) {
  found_.clear();
  MAILDIRSYNC_ASSIGN(const auto sum, tables_.entries.sum(folder.id));
  --change_.folders;
  change_.messages -= static_cast<std::int64_t>(sum.messages);
  change_.bytes -= static_cast<std::int64_t>(sum.bytes);
  MAILDIRSYNC_TRY(tables_.entries.erase_all(folder.id));
  MAILDIRSYNC_TRY(tables_.signatures.erase_all(folder.id));
  MAILDIRSYNC_TRY(tables_.aliases.erase_folder(account_, folder.path));
  return tables_.folders.erase(folder.id);
}

Result<> Recorder::put(const Location& at, Entry entry) {
  MAILDIRSYNC_ASSIGN(const auto folder, find_folder(at.folder));
  if (!folder) return {};
  entry.area = at.area;
  entry.name = at.name;
  return put(*folder, entry, MissingDigest::keeps);
}

Result<> Recorder::put(FolderId folder, const Entry& entry, MissingDigest missing) {
  MAILDIRSYNC_ASSIGN(const auto replaced, tables_.entries.put(folder, entry, missing));
  if (entry.area == Area::folder) return {};
  if (!replaced.existed) ++change_.messages;
  change_.bytes += static_cast<std::int64_t>(entry.size - replaced.size);
  return {};
}

Result<> Recorder::rename(const sync::Operation& operation) {
  MAILDIRSYNC_ASSIGN(const auto from, find_folder(operation.from.folder));
  MAILDIRSYNC_ASSIGN(const auto to, find_folder(operation.to.folder));
  if (from) {
    if (to) MAILDIRSYNC_TRY(tables_.signatures.move(*from, operation.from, *to, operation.to));
    if (!(operation.from == operation.to)) {
      MAILDIRSYNC_TRY(tables_.signatures.erase(*from, operation.from.area, operation.from.name));
    }
    MAILDIRSYNC_TRY(erase(*from, operation.from.area, operation.from.name));
  }
  MAILDIRSYNC_TRY(put(operation.to, operation.result));
  MAILDIRSYNC_TRY(drop_alias_of_own_name(operation));
  return from ? drop_unused_alias(*from, operation.from) : Result<>();
}

Result<> Recorder::remove(const Location& at) {
  MAILDIRSYNC_ASSIGN(const auto folder, find_folder(at.folder));
  if (!folder) return {};
  MAILDIRSYNC_TRY(erase(*folder, at.area, at.name));
  MAILDIRSYNC_TRY(tables_.signatures.erase(*folder, at.area, at.name));
  return drop_unused_alias(*folder, at);
}

Result<> Recorder::erase(FolderId folder, Area area, std::string_view name) {
  MAILDIRSYNC_ASSIGN(const auto erased, tables_.entries.erase(folder, area, name));
  if (area == Area::folder || !erased.existed) return {};
  --change_.messages;
  change_.bytes -= static_cast<std::int64_t>(erased.size);
  return {};
}

/// The message has its own name back.
Result<> Recorder::drop_alias_of_own_name(const sync::Operation& operation) {
  if (operation.to.area == Area::folder || operation.from.folder != operation.to.folder) return {};
  const auto from = maildir::base_of(operation.from.name);
  const auto to = maildir::base_of(operation.to.name);
  return from == to ? Result<>() : tables_.aliases.erase(account_, operation.to.folder, to, from);
}

/// A message's alias goes with the last of its names in the folder; a flag change keeps it.
Result<> Recorder::drop_unused_alias(FolderId folder, const Location& gone) {
  if (gone.area == Area::folder) return {};
  Entry probe;
  probe.area = gone.area;
  probe.name = gone.name;
  MAILDIRSYNC_ASSIGN(const auto used, tables_.entries.has_base(folder, sync::base_name(probe)));
  return used ? Result<>() : tables_.aliases.erase(account_, gone.folder, sync::base_name(probe));
}

Result<> Recorder::replace(const sync::AccountManifest& manifest) {
  MAILDIRSYNC_ASSIGN(auto known, tables_.folders.all(account_));
  for (const auto& folder : known) {
    if (manifest.find(folder.path) == nullptr) MAILDIRSYNC_TRY(remove_folder(folder));
  }
  for (const auto& folder : manifest.folders) {
    MAILDIRSYNC_TRY(make_folder(folder.path, folder.inode, {folder.self, folder.cur, folder.new_, folder.tmp}));
    MAILDIRSYNC_ASSIGN(const auto id, find_folder(folder.path));
    MAILDIRSYNC_TRY(replace_entries(*id, folder.entries));
  }
  return tables_.folders.clear_stamps(account_);
}

Result<> Recorder::replace_entries(FolderId folder, const std::vector<Entry>& entries) {
  std::vector<bool> is_on_record(entries.size());  // as it is
  std::vector<std::pair<Area, std::string>> gone;
  MAILDIRSYNC_TRY(tables_.entries.each(folder, [&](const Entry& known) {
    const auto found = std::lower_bound(entries.begin(), entries.end(), known, sync::before_in_folder);
    if (found == entries.end() || sync::before_in_folder(known, *found)) {
      gone.emplace_back(known.area, known.name);
    } else if (*found == known) {
      is_on_record[static_cast<std::size_t>(found - entries.begin())] = true;
    }
  }));
  for (const auto& [area, name] : gone) {
    MAILDIRSYNC_TRY(erase(folder, area, name));
    MAILDIRSYNC_TRY(tables_.signatures.erase(folder, area, name));
  }
  std::vector<std::pair<std::int32_t, const Entry*>> writes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!is_on_record[i]) writes.emplace_back(hash_of(entries[i]), &entries[i]);
  }
  std::sort(writes.begin(), writes.end());  // in the order of the table: pages are filled one after the other
  for (const auto& [hash, entry] : writes)
    MAILDIRSYNC_TRY(put(folder, *entry, MissingDigest::clears));
  return {};
}

Result<> Recorder::erase_everything() {
  MAILDIRSYNC_ASSIGN(auto known, tables_.folders.all(account_));
  for (const auto& folder : known)
    MAILDIRSYNC_TRY(remove_folder(folder));
  return tables_.aliases.erase_account(account_);
}

}  // namespace maildirsync::agent
