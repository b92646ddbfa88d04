#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/state/entries.h"
#include "agent/state/folders.h"
#include "agent/state/notes.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

/// The tables of one database.
struct Tables {
  explicit Tables(sqlite::Database& database)
      : attributes(database),
        folders(database, attributes),
        entries(database, attributes),
        signatures(database, entries),
        aliases(database) {}

  AttributesTable attributes;
  FolderTable folders;
  EntryTable entries;
  SignatureTable signatures;
  AliasTable aliases;
};

/// Writes into one account, inside a transaction, and counts what that changes. Lives as long as the transaction.
class Recorder {
 public:
  Recorder(Tables& tables, AccountId account) : tables_(tables), account_(account) {}

  /// Means what sync::apply means. What belongs to an entry (signature, alias) goes with it.
  Result<> apply(const sync::Operation& operation);
  /// Writes only what differs. Stamps are forgotten: they said that the old record was the source's listing.
  Result<> replace(const sync::AccountManifest& manifest);
  Result<> erase_everything();
  /// How a folder looks after operations that were recorded; false when it did not look before them as it was left.
  Result<bool> look(const State::FolderLook& look);

  struct Counts {
    std::int64_t folders = 0, messages = 0, bytes = 0;
  };
  /// What there is more than before.
  const Counts& change() const { return change_; }

 private:
  Result<> make_folder(const std::string& path, std::uint64_t inode, const sync::FolderShape& shape);
  Result<> rename_folder(const std::string& from, const std::string& to, std::uint64_t inode);
  Result<> remove_folder(const FolderTable::Row& folder);
  Result<> replace_entries(FolderId folder, const std::vector<sync::Entry>& entries);
  Result<> put(const sync::Location& at, sync::Entry entry);
  Result<> put(FolderId folder, const sync::Entry& entry, EntryTable::MissingDigest missing);
  Result<> rename(const sync::Operation& operation);
  Result<> remove(const sync::Location& at);
  Result<> erase(FolderId folder, sync::Area area, std::string_view name);
  Result<> drop_alias_of_own_name(const sync::Operation& operation);
  Result<> drop_unused_alias(FolderId folder, const sync::Location& gone);
  Result<std::optional<FolderId>> find_folder(const std::string& path);

  Tables& tables_;
  AccountId account_;
  Counts change_;
  std::unordered_map<std::string, std::optional<FolderId>> found_;  ///< emptied when a folder comes, moves or goes
};

}  // namespace maildirsync::agent
