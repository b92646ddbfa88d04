#include "agent/turn/on_wire.h"

#include "common/maildir/name.h"
#include "common/sync/equality.h"
#include "common/wire/convert.h"

namespace maildirsync::agent {

namespace {

/// What the destination has already is found by size and mtime. Its digest would be a third of a flag change's bytes,
/// and is worth reading the file for in the rare case that something else has its name.
void leave_out_what_is_known(const sync::Operation& operation, wire::Operation& out) {
  if (changes_owner(operation)) return;
  if (operation.kind == sync::OperationKind::set_attributes) out.clear_expected();
  const bool moves = operation.kind == sync::OperationKind::rename || operation.kind == sync::OperationKind::link;
  if (!moves && operation.kind != sync::OperationKind::remove) return;
  const auto& expected = operation.expected;
  const auto& result = operation.result;
  const bool as_result = moves && expected && sync::same_stamp(*expected, result);
  if (moves) out.mutable_result()->clear_digest();
  if (as_result) {
    out.clear_expected();
  } else if (expected) {
    out.mutable_expected()->clear_digest();
  }
}

sync::Location at_destination(const sync::Location& at, const sync::Aliases& aliases) {
  if (at.area == sync::Area::folder) return at;
  const std::string_view base = maildir::base_of(at.name);
  const auto alias = aliases.find({at.folder, std::string(base)});
  return alias == aliases.end() ? at : sync::Location{at.folder, at.area, alias->second + at.name.substr(base.size())};
}

}  // namespace

bool changes_owner(const sync::Operation& operation) {
  const bool is_there = operation.kind == sync::OperationKind::rename || operation.kind == sync::OperationKind::link ||
                        operation.kind == sync::OperationKind::set_attributes;
  return is_there && operation.expected && operation.expected->attributes.uid != operation.result.attributes.uid;
}

void put_on_wire(const sync::Operation& operation, const sync::Aliases& aliases, wire::Operation& out) {
  if (aliases.empty()) {
    wire::to_wire(operation, out);
  } else {
    sync::Operation named = operation;
    named.from = at_destination(operation.from, aliases);
    named.to = at_destination(operation.to, aliases);
    if (!named.result.name.empty()) named.result.name = named.to.name;
    wire::to_wire(named, out);
  }
  leave_out_what_is_known(operation, out);
}

}  // namespace maildirsync::agent
