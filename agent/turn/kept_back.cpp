#include "agent/turn/kept_back.h"

namespace maildirsync::agent {

void KeptBack::begin(const std::shared_ptr<Turn>& turn) {
  turn_ = turn;
  no_room_ = turn->order.waits_for_room;
  unsent_.clear();
  moved_away_.clear();
}

/// A further name of a message that is sent in the same turn is a link there, but only of what gets there.
void KeptBack::send_alone_what_is_no_link(sync::Operation& operation) {
  if (operation.kind != sync::OperationKind::link) return;
  if (!unsent_.contains(path_of(operation.from)) && !turn_->order.alone.contains(path_of(operation.to))) return;
  operation.kind = sync::OperationKind::put;
  operation.from = {};
  operation.expected.reset();
  ++turn_->pending_messages;
  turn_->pending_bytes += operation.result.size;
}

bool KeptBack::waits(const sync::Operation& operation) {
  return waits_for_next_look(operation) || waits_for_room(operation);
}

/// The next look finds what moved away under the name that it has now. Until then no link leads to it, and what follows
/// messages waits.
bool KeptBack::waits_for_next_look(const sync::Operation& operation) {
  const bool is_link = operation.kind == sync::OperationKind::link;
  const bool waits = is_link ? moved_away_.contains(path_of(operation.from))
                             : sync::follows_messages(operation.kind) && !moved_away_.empty();
  if (!waits) return false;
  const bool is_to_be_made = is_link || operation.kind == sync::OperationKind::put_control;
  turn_->report.again.folders[is_to_be_made ? operation.to.folder : operation.from.folder].everything = true;
  return true;
}

/// What a full destination has no room for is not sent in vain; it waits, with what follows it, until the receiver says
/// that there is room.
bool KeptBack::waits_for_room(const sync::Operation& operation) {
  const auto& room = turn_->order.room;
  if (!room) return false;
  const bool is_put = operation.kind == sync::OperationKind::put || operation.kind == sync::OperationKind::put_control;
  const bool follows = sync::follows_messages(operation.kind) && no_room_;
  if (!follows && (!is_put || room->take(operation.result.size))) return false;
  auto& report = turn_->report;
  if (is_put && !follows) report.unsent.add(operation, "");
  if (is_put) unsent_.insert(path_of(operation.to));
  report.put_off.insert(is_put ? operation.to.folder : operation.from.folder);
  no_room_ = true;
  return true;
}

}  // namespace maildirsync::agent
