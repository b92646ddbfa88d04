#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/state/attributes.h"
#include "agent/state/sqlite.h"
#include "agent/state/state.h"

namespace maildirsync::agent {

using FolderId = std::int64_t;

/// The entries of all folders. Found by a hash of the base name, so that a name in any of its flags is one look-up.
class EntryTable {
 public:
  explicit EntryTable(sqlite::Database& database, AttributesTable& attributes)
      : database_(database), attributes_(attributes) {}

  /// Sorted by sync::before_in_folder, as all that follow.
  Result<std::vector<sync::Entry>> all(FolderId folder);
  /// Each, in no order, one at a time in memory; `take` may read and write nothing here.
  Result<> each(FolderId folder, const std::function<void(const sync::Entry&)>& take);
  Result<std::vector<sync::Entry>> control(FolderId folder);
  Result<std::vector<sync::Entry>> named(FolderId folder, const std::vector<std::string>& base_names);
  /// In the order of the inodes; 0, which stands for an unknown one, is passed over.
  Result<std::vector<State::Known>> by_inodes(AccountId account, const std::vector<std::uint64_t>& inodes);
  Result<std::optional<sync::Digest>> digest(FolderId folder, sync::Area area, std::string_view name);
  Result<bool> has_base(FolderId folder, std::string_view base);

  /// What an entry without a digest does to the known one of its place.
  enum class MissingDigest : std::uint8_t { keeps, clears };
  /// What writing took the place of.
  struct Replaced {
    bool existed = false;
    std::uint64_t size = 0;
  };
  Result<Replaced> put(FolderId folder, const sync::Entry& entry, MissingDigest missing);
  Result<Replaced> erase(FolderId folder, sync::Area area, std::string_view name);
  Result<> forget_inode(FolderId folder, sync::Area area, std::string_view name);
  Result<> forget_digest(FolderId folder, sync::Area area, std::string_view name);

  /// Messages (not control files) and their bytes.
  struct Sum {
    std::uint64_t messages = 0, bytes = 0;
  };
  Result<Sum> sum(FolderId folder);
  Result<> erase_all(FolderId folder);

 private:
  struct Slot {
    std::int64_t nth = 0;  ///< of the entry, or the first free one
    std::optional<std::uint64_t> size;
    std::optional<sync::Digest> digest;
    bool existed() const { return size.has_value(); }
  };
  Result<Slot> find(FolderId folder, std::int32_t hash, sync::Area area, std::string_view name);
  Result<sync::Entry> read(const sqlite::Statement& row);
  Result<std::vector<sync::Entry>> collect(sqlite::Statement& rows);

  sqlite::Database& database_;
  AttributesTable& attributes_;
};

/// A hash of the entry's base name: the order in which entries of a folder lie in the database.
std::int32_t hash_of(const sync::Entry& entry);

}  // namespace maildirsync::agent
