#include "agent/state/notes.h"

namespace maildirsync::agent {

namespace {

using sqlite::Statement;
using sync::Area;

std::string_view bytes_of(const sync::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

}  // namespace

Result<std::optional<std::string>> SignatureTable::find(FolderId folder, Area area, std::string_view name) {
  MAILDIRSYNC_ASSIGN(const auto digest, entries_.digest(folder, area, name));
  if (!digest) return std::nullopt;
  Statement find(database_, "SELECT content FROM signature WHERE folder = ? AND area = ? AND name = ? AND digest = ?");
  MAILDIRSYNC_ASSIGN(const auto row, find.bind(folder, static_cast<int>(area), name, bytes_of(*digest)).step());
  if (!row) return std::nullopt;
  return find.text(0);
}

Result<> SignatureTable::put(FolderId folder, Area area, std::string_view name, std::string_view signature) {
  MAILDIRSYNC_ASSIGN(const auto digest, entries_.digest(folder, area, name));
  if (!digest) return {};
  Statement put(database_,
                "INSERT OR REPLACE INTO signature (folder, area, name, digest, content) VALUES (?, ?, ?, ?, ?)");
  return put.bind(folder, static_cast<int>(area), name, bytes_of(*digest), signature).run();
}

Result<> SignatureTable::move(FolderId from_folder, const sync::Location& from, FolderId to_folder,
                              const sync::Location& to) {
  Statement move(database_,
                 "UPDATE OR REPLACE signature SET folder = ?, area = ?, name = ? "
                 "WHERE folder = ? AND area = ? AND name = ?");
  return move.bind(to_folder, static_cast<int>(to.area), to.name, from_folder, static_cast<int>(from.area), from.name)
      .run();
}

Result<> SignatureTable::erase(FolderId folder, Area area, std::string_view name) {
  Statement erase(database_, "DELETE FROM signature WHERE folder = ? AND area = ? AND name = ?");
  return erase.bind(folder, static_cast<int>(area), name).run();
}

Result<> SignatureTable::erase_all(FolderId folder) {
  return Statement(database_, "DELETE FROM signature WHERE folder = ?").bind(folder).run();
}

Result<std::map<std::pair<std::string, std::string>, std::string>> AliasTable::all(AccountId account) {
  std::map<std::pair<std::string, std::string>, std::string> aliases;
  Statement rows(database_, "SELECT folder, base, alias FROM alias WHERE account = ?");
  rows.bind(account);
  MAILDIRSYNC_TRY(rows.each([&] { aliases.emplace(std::pair(rows.text(0), rows.text(1)), rows.text(2)); }));
  return aliases;
}

Result<> AliasTable::put(AccountId account, std::string_view folder, std::string_view base, std::string_view alias) {
  Statement put(database_, "INSERT OR REPLACE INTO alias (account, folder, base, alias) VALUES (?, ?, ?, ?)");
  return put.bind(account, folder, base, alias).run();
}

Result<> AliasTable::erase(AccountId account, std::string_view folder, std::string_view base) {
  Statement erase(database_, "DELETE FROM alias WHERE account = ? AND folder = ? AND base = ?");
  return erase.bind(account, folder, base).run();
}

Result<> AliasTable::erase(AccountId account, std::string_view folder, std::string_view base, std::string_view alias) {
  return Statement(database_, "DELETE FROM alias WHERE account = ? AND folder = ? AND base = ? AND alias = ?")
      .bind(account, folder, base, alias)
      .run();
}

Result<> AliasTable::move_folder(AccountId account, std::string_view from, std::string_view to) {
  return Statement(database_, "UPDATE OR REPLACE alias SET folder = ? WHERE account = ? AND folder = ?")
      .bind(to, account, from)
      .run();
}

Result<> AliasTable::erase_folder(AccountId account, std::string_view folder) {
  return Statement(database_, "DELETE FROM alias WHERE account = ? AND folder = ?").bind(account, folder).run();
}

Result<> AliasTable::erase_account(AccountId account) {
  return Statement(database_, "DELETE FROM alias WHERE account = ?").bind(account).run();
}

}  // namespace maildirsync::agent
