#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/state/entries.h"
#include "agent/state/sqlite.h"
#include "agent/state/state.h"

namespace maildirsync::agent {

/// Signatures of control files. One holds for the content it was made of and no other: it is kept with the content's
/// digest, and found only while the entry has that digest.
class SignatureTable {
 public:
  SignatureTable(sqlite::Database& database, EntryTable& entries) : database_(database), entries_(entries) {}

  Result<std::optional<std::string>> find(FolderId folder, sync::Area area, std::string_view name);
  /// Of the content that the entry now has; without one it is not kept.
  Result<> put(FolderId folder, sync::Area area, std::string_view name, std::string_view signature);
  Result<> move(FolderId from_folder, const sync::Location& from, FolderId to_folder, const sync::Location& to);
  Result<> erase(FolderId folder, sync::Area area, std::string_view name);
  Result<> erase_all(FolderId folder);

 private:
  sqlite::Database& database_;
  EntryTable& entries_;
};

/// Other base names at the destination, by folder's path and base name.
class AliasTable {
 public:
  explicit AliasTable(sqlite::Database& database) : database_(database) {}

  Result<std::map<std::pair<std::string, std::string>, std::string>> all(AccountId account);
  Result<> put(AccountId account, std::string_view folder, std::string_view base, std::string_view alias);
  Result<> erase(AccountId account, std::string_view folder, std::string_view base);
  /// Only if it is that one.
  Result<> erase(AccountId account, std::string_view folder, std::string_view base, std::string_view alias);
  Result<> move_folder(AccountId account, std::string_view from, std::string_view to);
  Result<> erase_folder(AccountId account, std::string_view folder);
  Result<> erase_account(AccountId account);

 private:
  sqlite::Database& database_;
};

}  // namespace maildirsync::agent
