#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "agent/state/sqlite.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// Owners and modes by number: a handful of them serves all messages. Kept in memory as they are met.
class AttributesTable {
 public:
  explicit AttributesTable(sqlite::Database& database) : database_(database) {}

  /// The number, given if need be; inside a transaction.
  Result<std::int64_t> number(const sync::Attributes& attributes);
  Result<std::optional<std::int64_t>> number(const std::optional<sync::Attributes>& attributes);
  Result<sync::Attributes> at(std::int64_t number);

  /// After a rollback: what was given a number meanwhile has none.
  void forget();

 private:
  using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

  void keep(const sync::Attributes& attributes, std::int64_t number);

  sqlite::Database& database_;
  std::map<Key, std::int64_t> numbers_;
  std::unordered_map<std::int64_t, sync::Attributes> attributes_;
};

}  // namespace maildirsync::agent
