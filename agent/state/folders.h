#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/state/attributes.h"
#include "agent/state/entries.h"
#include "agent/state/sqlite.h"
#include "agent/state/state.h"

namespace maildirsync::agent {

/// The folders of accounts, without what is in them.
class FolderTable {
 public:
  explicit FolderTable(sqlite::Database& database, AttributesTable& attributes)
      : database_(database), attributes_(attributes) {}

  struct Row {
    FolderId id = 0;
    std::string path;
  };

  Result<std::optional<FolderId>> find(AccountId account, std::string_view path);
  /// By path.
  Result<std::vector<Row>> all(AccountId account);
  /// The folder and those below it.
  Result<std::vector<Row>> subtree(AccountId account, std::string_view path);
  /// By path, without entries.
  Result<std::vector<sync::FolderManifest>> manifests(AccountId account);

  /// Makes the folder or gives it another shape. Another directory (by its inode) loses the stamps of the former.
  Result<> put(AccountId account, const std::string& path, std::uint64_t inode, const sync::FolderShape& shape);
  Result<> set_path(FolderId folder, std::string_view path);
  Result<> set_inode(FolderId folder, std::uint64_t inode);
  Result<> erase(FolderId folder);

  Result<std::map<std::string, Stamps>> stamps(AccountId account);
  Result<> set_stamps(AccountId account, const std::string& path, const Stamps& stamps);
  Result<> clear_stamps(AccountId account);

  Result<std::vector<std::pair<std::string, std::uint64_t>>> looks(AccountId account);
  Result<> set_look(FolderId folder, std::uint64_t look);
  Result<std::uint64_t> look(FolderId folder);
  /// Those that are known.
  Result<std::map<std::string, std::uint64_t>> mounts(AccountId account);
  Result<> set_mount(AccountId account, const std::string& path, std::uint64_t mount);

 private:
  Result<std::vector<Row>> collect(sqlite::Statement& rows);

  sqlite::Database& database_;
  AttributesTable& attributes_;
};

}  // namespace maildirsync::agent
