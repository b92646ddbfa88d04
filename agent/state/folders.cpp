#include "agent/state/folders.h"

#include <utility>

namespace maildirsync::agent {

using sqlite::Statement;

Result<std::optional<FolderId>> FolderTable::find(AccountId account, std::string_view path) {
  Statement find(database_, "SELECT id FROM folder WHERE account = ? AND path = ?");
  MAILDIRSYNC_ASSIGN(const auto row, find.bind(account, path).step());
  if (!row) return std::nullopt;
  return find.integer(0);
}

Result<std::vector<FolderTable::Row>> FolderTable::collect(Statement& rows) {
  std::vector<Row> folders;
  MAILDIRSYNC_TRY(rows.each([&] { folders.push_back({rows.integer(0), rows.text(1)}); }));
  return folders;
}

Result<std::vector<FolderTable::Row>> FolderTable::all(AccountId account) {
  Statement rows(database_, "SELECT id, path FROM folder WHERE account = ? ORDER BY path");
  rows.bind(account);
  return collect(rows);
}

Result<std::vector<FolderTable::Row>> FolderTable::subtree(AccountId account, std::string_view path) {
  const std::string first = std::string(path) + '/';
  const std::string behind = std::string(path) + static_cast<char>('/' + 1);
  Statement rows(database_,
                 "SELECT id, path FROM folder WHERE account = ? AND (path = ? OR (path >= ? AND path < ?)) "
                 "ORDER BY path");
  rows.bind(account, path, first, behind);
  return collect(rows);
}

Result<std::vector<sync::FolderManifest>> FolderTable::manifests(AccountId account) {
  std::vector<sync::FolderManifest> folders;
  Statement rows(database_, "SELECT path, inode, self, cur, new, tmp FROM folder WHERE account = ? ORDER BY path");
  rows.bind(account);
  MAILDIRSYNC_TRY(rows.each([&]() -> Result<> {
    sync::FolderManifest folder{.path = rows.text(0), .inode = rows.integer_as<std::uint64_t>(1)};
    MAILDIRSYNC_ASSIGN(auto self, attributes_.at(rows.integer(2)));
    folder.self = self;
    int column = 3;
    for (auto* area : {&folder.cur, &folder.new_, &folder.tmp}) {
      if (!rows.is_null(column)) {
        MAILDIRSYNC_ASSIGN(auto attributes, attributes_.at(rows.integer(column)));
        *area = attributes;
      }
      ++column;
    }
    folders.push_back(std::move(folder));
    return {};
  }));
  return folders;
}

Result<> FolderTable::put(AccountId account, const std::string& path, std::uint64_t inode,
                          const sync::FolderShape& shape) {
  MAILDIRSYNC_ASSIGN(const auto self, attributes_.number(shape.self));
  MAILDIRSYNC_ASSIGN(const auto cur, attributes_.number(shape.cur));
  MAILDIRSYNC_ASSIGN(const auto new_, attributes_.number(shape.new_));
  MAILDIRSYNC_ASSIGN(const auto tmp, attributes_.number(shape.tmp));
  Statement put(database_,
                "INSERT INTO folder (account, path, inode, self, cur, new, tmp, look) VALUES (?, ?, ?, ?, ?, ?, ?, 1) "
                "ON CONFLICT (account, path) DO UPDATE SET "
                "stamp_self = iif(inode = excluded.inode, stamp_self, 0), "
                "stamp_cur = iif(inode = excluded.inode, stamp_cur, 0), "
                "stamp_new = iif(inode = excluded.inode, stamp_new, 0), "
                "inode = excluded.inode, self = excluded.self, cur = excluded.cur, new = excluded.new, "
                "tmp = excluded.tmp");
  return put.bind(account, path, inode, self, cur, new_, tmp).run();
}

Result<> FolderTable::set_path(FolderId folder, std::string_view path) {
  return Statement(database_, "UPDATE folder SET path = ? WHERE id = ?").bind(path, folder).run();
}

Result<> FolderTable::set_inode(FolderId folder, std::uint64_t inode) {
  return Statement(database_, "UPDATE folder SET inode = ? WHERE id = ?").bind(inode, folder).run();
}

Result<> FolderTable::erase(FolderId folder) {
  return Statement(database_, "DELETE FROM folder WHERE id = ?").bind(folder).run();
}

Result<std::map<std::string, Stamps>> FolderTable::stamps(AccountId account) {
  std::map<std::string, Stamps> stamps;
  Statement rows(database_, "SELECT path, stamp_self, stamp_cur, stamp_new FROM folder WHERE account = ?");
  rows.bind(account);
  MAILDIRSYNC_TRY(rows.each([&] {
    const Stamps folder{rows.integer(1), rows.integer(2), rows.integer(3)};
    if (folder != Stamps{}) stamps.emplace(rows.text(0), folder);
  }));
  return stamps;
}

Result<> FolderTable::set_stamps(AccountId account, const std::string& path, const Stamps& stamps) {
  Statement set(database_,
                "UPDATE folder SET stamp_self = ?, stamp_cur = ?, stamp_new = ? WHERE account = ? AND path = ?");
  return set.bind(stamps.self, stamps.cur, stamps.new_, account, path).run();
}

Result<> FolderTable::clear_stamps(AccountId account) {
  Statement clear(database_, "UPDATE folder SET stamp_self = 0, stamp_cur = 0, stamp_new = 0 WHERE account = ?");
  return clear.bind(account).run();
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> FolderTable::looks(AccountId account) {
  std::vector<std::pair<std::string, std::uint64_t>> looks;
  Statement rows(database_, "SELECT path, look FROM folder WHERE account = ? ORDER BY path");
  rows.bind(account);
  MAILDIRSYNC_TRY(rows.each([&] { looks.emplace_back(rows.text(0), rows.integer_as<std::uint64_t>(1)); }));
  return looks;
}

Result<> FolderTable::set_look(FolderId folder, std::uint64_t look) {
  return Statement(database_, "UPDATE folder SET look = ? WHERE id = ?").bind(look, folder).run();
}

Result<std::uint64_t> FolderTable::look(FolderId folder) {
  Statement find(database_, "SELECT look FROM folder WHERE id = ?");
  MAILDIRSYNC_ASSIGN(const auto row, find.bind(folder).step());
  return row ? find.integer_as<std::uint64_t>(0) : 0;
}

Result<std::map<std::string, std::uint64_t>> FolderTable::mounts(AccountId account) {
  std::map<std::string, std::uint64_t> mounts;
  Statement rows(database_, "SELECT path, mount FROM folder WHERE account = ? AND mount IS NOT NULL");
  rows.bind(account);
  MAILDIRSYNC_TRY(rows.each([&] { mounts.emplace(rows.text(0), rows.integer_as<std::uint64_t>(1)); }));
  return mounts;
}

Result<> FolderTable::set_mount(AccountId account, const std::string& path, std::uint64_t mount) {
  return Statement(database_, "UPDATE folder SET mount = ? WHERE account = ? AND path = ?")
      .bind(mount, account, path)
      .run();
}

}  // namespace maildirsync::agent
