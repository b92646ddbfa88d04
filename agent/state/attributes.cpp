#include "agent/state/attributes.h"

namespace maildirsync::agent {

using sqlite::Statement;

Result<std::int64_t> AttributesTable::number(const sync::Attributes& attributes) {
  const auto& [mode, uid, gid] = attributes;
  if (const auto found = numbers_.find({mode, uid, gid}); found != numbers_.end()) return found->second;
  Statement find(database_, "SELECT id FROM attributes WHERE mode = ? AND uid = ? AND gid = ?");
  MAILDIRSYNC_ASSIGN(const auto row, find.bind(mode, uid, gid).step());
  std::int64_t number = 0;
  if (row) {
    number = find.integer(0);
  } else {
    Statement insert(database_, "INSERT INTO attributes (mode, uid, gid) VALUES (?, ?, ?)");
    MAILDIRSYNC_TRY(insert.bind(mode, uid, gid).run());
    number = database_.last_id();
  }
  keep(attributes, number);
  return number;
}

Result<std::optional<std::int64_t>> AttributesTable::number(const std::optional<sync::Attributes>& attributes) {
  if (!attributes) return std::nullopt;
  return number(*attributes);
}

Result<sync::Attributes> AttributesTable::at(std::int64_t number) {
  if (const auto found = attributes_.find(number); found != attributes_.end()) return found->second;
  Statement find(database_, "SELECT mode, uid, gid FROM attributes WHERE id = ?");
  MAILDIRSYNC_ASSIGN(const auto row, find.bind(number).step());
  if (!row) return failure(ErrorCode::state, database_.path(), "the state database lacks an owner that it refers to");
  const sync::Attributes attributes{find.integer_as<std::uint32_t>(0), find.integer_as<std::uint32_t>(1),
                                    find.integer_as<std::uint32_t>(2)};
  keep(attributes, number);
  return attributes;
}

void AttributesTable::keep(const sync::Attributes& attributes, std::int64_t number) {
  numbers_.insert_or_assign({attributes.mode, attributes.uid, attributes.gid}, number);
  attributes_.insert_or_assign(number, attributes);
}

void AttributesTable::forget() {
  numbers_.clear();
  attributes_.clear();
}

}  // namespace maildirsync::agent
