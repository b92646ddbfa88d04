#include "agent/state/entries.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "common/codec/digest.h"

namespace maildirsync::agent {

namespace {

using sqlite::Statement;
using sync::Area;
using sync::Digest;
using sync::Entry;
using sync::EntryKind;

std::int32_t hash_of_base(std::string_view base) {
  const Digest digest = codec::digest(base);
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < sizeof(hash); ++i)
    hash = hash << 8 | digest.bytes[i];
  return static_cast<std::int32_t>(hash);
}

std::int32_t hash_of_name(Area area, std::string_view name) {
  Entry probe;
  probe.area = area;
  probe.name = name;
  return hash_of(probe);
}

std::optional<std::string_view> bytes_of(const std::optional<Digest>& digest) {
  if (!digest) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(digest->bytes.data()), digest->bytes.size());
}

std::optional<Digest> digest_of(std::string_view bytes) {
  Digest digest;
  if (bytes.size() != digest.bytes.size()) return std::nullopt;
  std::memcpy(digest.bytes.data(), bytes.data(), bytes.size());
  return digest;
}

}  // namespace

std::int32_t hash_of(const Entry& entry) {
  return hash_of_base(sync::base_name(entry));
}

// The columns that read() takes: area, name, inode, size, mtime, attributes, digest, target.

Result<Entry> EntryTable::read(const Statement& row) {
  Entry entry;
  entry.area = static_cast<Area>(row.integer(0));
  entry.name = row.bytes(1);
  entry.inode = row.integer_as<std::uint64_t>(2);
  entry.size = row.integer_as<std::uint64_t>(3);
  entry.mtime = row.integer(4);
  MAILDIRSYNC_ASSIGN(auto attributes, attributes_.at(row.integer(5)));
  entry.attributes = attributes;
  entry.digest = digest_of(row.bytes(6));
  if (!row.is_null(7)) {
    entry.kind = EntryKind::symlink;
    entry.target = std::string(row.bytes(7));
  }
  return entry;
}

Result<std::vector<Entry>> EntryTable::collect(Statement& rows) {
  std::vector<Entry> entries;
  MAILDIRSYNC_TRY(rows.each([&]() -> Result<> {
    MAILDIRSYNC_ASSIGN(auto entry, read(rows));
    entries.push_back(std::move(entry));
    return {};
  }));
  std::sort(entries.begin(), entries.end(), sync::before_in_folder);
  return entries;
}

Result<std::vector<Entry>> EntryTable::all(FolderId folder) {
  Statement rows(database_,
                 "SELECT area, name, inode, size, mtime, attributes, digest, target FROM entry WHERE folder = ?");
  rows.bind(folder);
  return collect(rows);
}

Result<> EntryTable::each(FolderId folder, const std::function<void(const Entry&)>& take) {
  Statement rows(database_,
                 "SELECT area, name, inode, size, mtime, attributes, digest, target FROM entry WHERE folder = ?");
  rows.bind(folder);
  return rows.each([&]() -> Result<> {
    MAILDIRSYNC_ASSIGN(const auto entry, read(rows));
    take(entry);
    return {};
  });
}

Result<std::vector<Entry>> EntryTable::control(FolderId folder) {
  Statement rows(database_,
                 "SELECT area, name, inode, size, mtime, attributes, digest, target "
                 "FROM entry INDEXED BY entry_control WHERE folder = ? AND area = 0");
  rows.bind(folder);
  return collect(rows);
}

Result<std::vector<Entry>> EntryTable::named(FolderId folder, const std::vector<std::string>& base_names) {
  std::vector<Entry> entries;
  const std::unordered_set<std::string_view> wanted(base_names.begin(), base_names.end());
  for (const auto base : wanted) {
    Statement rows(database_,
                   "SELECT area, name, inode, size, mtime, attributes, digest, target "
                   "FROM entry WHERE folder = ? AND hash = ?");
    rows.bind(folder, hash_of_base(base));
    MAILDIRSYNC_ASSIGN(auto found, collect(rows));
    for (auto& entry : found) {
      if (sync::base_name(entry) == base) entries.push_back(std::move(entry));
    }
  }
  std::sort(entries.begin(), entries.end(), sync::before_in_folder);
  return entries;
}

Result<std::vector<State::Known>> EntryTable::by_inodes(AccountId account, const std::vector<std::uint64_t>& inodes) {
  std::vector<State::Known> known;
  std::unordered_set<std::uint64_t> done{0};
  for (const std::uint64_t inode : inodes) {
    if (!done.insert(inode).second) continue;
    // CROSS JOIN keeps SQLite from going through the account's folders first.
    Statement rows(database_,
                   "SELECT area, name, entry.inode, size, mtime, attributes, digest, target, path "
                   "FROM entry INDEXED BY entry_by_inode CROSS JOIN folder ON folder.id = entry.folder "
                   "WHERE entry.inode = ? AND folder.account = ?");
    rows.bind(inode, account);
    MAILDIRSYNC_TRY(rows.each([&]() -> Result<> {
      MAILDIRSYNC_ASSIGN(auto entry, read(rows));
      known.push_back({rows.text(8), std::move(entry)});
      return {};
    }));
  }
  return known;
}

Result<EntryTable::Slot> EntryTable::find(FolderId folder, std::int32_t hash, Area area, std::string_view name) {
  Statement rows(database_,
                 "SELECT nth, area, name, size, digest FROM entry WHERE folder = ? AND hash = ? ORDER BY nth");
  rows.bind(folder, hash);
  Slot slot;
  for (;;) {
    MAILDIRSYNC_ASSIGN(const auto row, rows.step());
    if (!row) return slot;
    if (static_cast<Area>(rows.integer(1)) == area && rows.bytes(2) == name) {
      return Slot{rows.integer(0), rows.integer_as<std::uint64_t>(3), digest_of(rows.bytes(4))};
    }
    if (rows.integer(0) == slot.nth) ++slot.nth;
  }
}

Result<std::optional<Digest>> EntryTable::digest(FolderId folder, Area area, std::string_view name) {
  MAILDIRSYNC_ASSIGN(const auto slot, find(folder, hash_of_name(area, name), area, name));
  return slot.digest;
}

Result<bool> EntryTable::has_base(FolderId folder, std::string_view base) {
  MAILDIRSYNC_ASSIGN(const auto found, named(folder, {std::string(base)}));
  return std::any_of(found.begin(), found.end(), [](const Entry& entry) { return entry.area != Area::folder; });
}

Result<EntryTable::Replaced> EntryTable::put(FolderId folder, const Entry& entry, MissingDigest missing) {
  const std::int32_t hash = hash_of(entry);
  MAILDIRSYNC_ASSIGN(const auto slot, find(folder, hash, entry.area, entry.name));
  MAILDIRSYNC_ASSIGN(const auto attributes, attributes_.number(entry.attributes));
  const auto& known = !entry.digest && missing == MissingDigest::keeps ? slot.digest : entry.digest;
  const auto digest = bytes_of(known);
  std::optional<std::string_view> target;
  if (entry.kind == EntryKind::symlink) target = entry.target.text();
  if (slot.existed()) {
    Statement update(database_,
                     "UPDATE entry SET inode = ?, size = ?, mtime = ?, attributes = ?, digest = ?, target = ? "
                     "WHERE folder = ? AND hash = ? AND nth = ?");
    update.bind(entry.inode, entry.size, entry.mtime, attributes, digest, target, folder, hash, slot.nth);
    MAILDIRSYNC_TRY(update.run());
  } else {
    Statement insert(
        database_,
        "INSERT INTO entry (folder, hash, nth, area, name, inode, size, mtime, attributes, digest, target) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(folder, hash, slot.nth, static_cast<int>(entry.area), entry.name, entry.inode, entry.size, entry.mtime,
                attributes, digest, target);
    MAILDIRSYNC_TRY(insert.run());
  }
  return Replaced{slot.existed(), slot.size.value_or(0)};
}

Result<EntryTable::Replaced> EntryTable::erase(FolderId folder, Area area, std::string_view name) {
  const std::int32_t hash = hash_of_name(area, name);
  MAILDIRSYNC_ASSIGN(const auto slot, find(folder, hash, area, name));
  if (slot.existed()) {
    Statement erase(database_, "DELETE FROM entry WHERE folder = ? AND hash = ? AND nth = ?");
    MAILDIRSYNC_TRY(erase.bind(folder, hash, slot.nth).run());
  }
  return Replaced{slot.existed(), slot.size.value_or(0)};
}

Result<> EntryTable::forget_inode(FolderId folder, Area area, std::string_view name) {
  const std::int32_t hash = hash_of_name(area, name);
  MAILDIRSYNC_ASSIGN(const auto slot, find(folder, hash, area, name));
  if (!slot.existed()) return {};
  Statement forget(database_, "UPDATE entry SET inode = 0 WHERE folder = ? AND hash = ? AND nth = ?");
  return forget.bind(folder, hash, slot.nth).run();
}

Result<> EntryTable::forget_digest(FolderId folder, Area area, std::string_view name) {
  const std::int32_t hash = hash_of_name(area, name);
  MAILDIRSYNC_ASSIGN(const auto slot, find(folder, hash, area, name));
  if (!slot.existed()) return {};
  Statement forget(database_, "UPDATE entry SET digest = NULL WHERE folder = ? AND hash = ? AND nth = ?");
  return forget.bind(folder, hash, slot.nth).run();
}

Result<EntryTable::Sum> EntryTable::sum(FolderId folder) {
  Statement sum(database_, "SELECT count(*), coalesce(sum(size), 0) FROM entry WHERE folder = ? AND area <> 0");
  MAILDIRSYNC_TRY(sum.bind(folder).step());
  return Sum{sum.integer_as<std::uint64_t>(0), sum.integer_as<std::uint64_t>(1)};
}

Result<> EntryTable::erase_all(FolderId folder) {
  return Statement(database_, "DELETE FROM entry WHERE folder = ?").bind(folder).run();
}

}  // namespace maildirsync::agent
