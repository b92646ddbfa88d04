// What the receiver answered to operations. What is durable goes into the state; what is refused is sorted by what may
// help: another try, a look at the destination first, or a person. The races, and the test that holds each:
//
//  1. The connection breaks before an answer: what was on its way may have been done or not. It counts as neither, and
//     the account's next turn asks what the destination holds.
//     (next_turn_test.cpp) after_a_lost_connection_all_of_it_is_compared_at_once, (test_link.py)
//  2. An operation fails after it was done, in whole or in part: unless the receiver says that it was not begun, the
//     next turn asks, whatever it is for.
//     (next_turn_test.cpp) what_failed_and_may_have_been_done_is_asked_for_by_the_next_turn_whatever_it_is_for
//  3. The source changes while an answer is on its way. The state takes down what was sent, not what is there now; the
//     change has its own event, and is the next turn's. (test_live.py)
//  4. Answers come faster than the disk takes them down. They are written in their order, by the keeper's thread; a
//     crash in between leaves intents, and the next start compares the accounts that have any. (test_kill.py)
//  5. Somebody else changes the destination between the look at it and the operation: it is looked at again, and after
//     some rounds a person is told. (refusals_test.cpp) a_wrong_belief_is_looked_at_so_often_and_is_then_said
//  6. A message is refused, and its link comes right after it: it finds nothing, and is sent by itself.
//     (test_ownership.py) each_is_named_while_its_owner_is_not_mapped_and_both_arrive_as_one_when_it_is

#include "agent/engine/acknowledgements.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "common/maildir/name.h"
#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

/// An ack, by the sequence numbers of what it answers.
struct Answers {
  std::unordered_map<std::uint64_t, const wire::Ack::Failed*> failed;
  std::unordered_map<std::uint64_t, const std::string*> renamed;
  std::unordered_map<std::uint64_t, std::uint32_t> lesser_modes;
  std::unordered_map<std::uint64_t, std::int64_t> other_times;
  std::unordered_set<std::uint64_t> indexed;
  std::unordered_map<std::uint64_t, std::vector<State::FolderLook>> looks;

  explicit Answers(const wire::Ack& ack) : indexed(ack.indexed().begin(), ack.indexed().end()) {
    for (const auto& one : ack.failed())
      failed.emplace(one.sequence(), &one);
    for (const auto& one : ack.renamed())
      renamed.emplace(one.sequence(), &one.name());
    for (const auto& one : ack.lesser_modes())
      lesser_modes.emplace(one.sequence(), one.mode());
    for (const auto& one : ack.other_times())
      other_times.emplace(one.sequence(), one.time());
    for (const auto& one : ack.left())
      looks[one.sequence()].push_back({one.folder(), one.before(), one.after()});
  }
};

/// What it holds of an operation; nullptr for nothing.
template <class Map>
const typename Map::mapped_type* find(const Map& map, std::uint64_t sequence) {
  const auto found = map.find(sequence);
  return found == map.end() ? nullptr : &found->second;
}

std::string date_text(std::int64_t nanoseconds) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(os::to_timespec(nanoseconds).tv_sec)));
}

/// The state takes down the mode that the file has there, and no inode, because a listing believes what it knows of an
/// inode: so each look asks for the source's mode again, and hears again that it can't be had.
void has_lesser_mode(Turn& turn, sync::Operation& operation, std::uint32_t mode) {
  const bool is_folder = operation.kind == sync::OperationKind::make_folder;
  const auto wanted = is_folder ? operation.folder.self.mode : operation.result.attributes.mode;
  turn.refused.push_back(
      {ErrorCode::permission, path_of(operation.to),
       fmt::format("arrived, but with mode {:04o} instead of {:04o}: the receiver gives {}; take the "
                   "bit away here: chmod {} it",
                   mode, wanted,
                   is_folder ? "no directory a set-user-ID bit" : "no file a set-user-ID or set-group-ID bit",
                   is_folder ? "u-s" : "ug-s"),
       true});
  turn.failed_folders.insert(operation.to.folder);
  if (is_folder) return;
  operation.result.attributes.mode = mode;
  operation.result.inode = 0;
}

/// As has_lesser_mode: each look asks for the date again, and hears again that it can't be had.
void has_other_date(Turn& turn, sync::Operation& operation, std::int64_t date) {
  const std::string wanted = is_beyond_carried(operation.result.mtime) ? "is beyond the years 1677 to 2262"
                                                                       : "of " + date_text(operation.result.mtime) +
                                                                             " cannot be held by the file system there";
  turn.refused.push_back({ErrorCode::time_range, path_of(operation.to),
                          "arrived, but its date " + wanted + ": it has " + date_text(date) +
                              " there; give it a date that both sides hold (touch -d, at the source)",
                          true});
  turn.failed_folders.insert(operation.to.folder);
  operation.result.inode = 0;
}

/// Whether the operation is about a file that the destination has.
bool finds_a_file(sync::OperationKind kind) {
  return kind == sync::OperationKind::rename || kind == sync::OperationKind::link ||
         kind == sync::OperationKind::set_attributes;
}

/// An error is a question: an operation that failed may have been done all the same, or in part. Not one of which the
/// receiver says that it was not begun, or that it refused by a rule.
bool may_be_done(ErrorCode code, const wire::Ack::Failed& failed) {
  if (failed.untouched()) return false;
  switch (code) {
    case ErrorCode::postponed:
    case ErrorCode::changed_while_read:
    case ErrorCode::basis_mismatch:
    case ErrorCode::unmapped_owner:
    case ErrorCode::special_file:
    case ErrorCode::foreign_owner:
    case ErrorCode::conflict:
    case ErrorCode::bad_name:
    case ErrorCode::in_the_way:
    case ErrorCode::root_gone:
      return false;
    default:
      return true;
  }
}

/// Refused for what the message itself is, and so each time, until a person does something.
bool is_by_rule(ErrorCode code) {
  return code == ErrorCode::unmapped_owner || code == ErrorCode::foreign_owner || code == ErrorCode::bad_name;
}

bool takes_away(sync::OperationKind kind) {
  return kind == sync::OperationKind::remove || kind == sync::OperationKind::remove_folder;
}

}  // namespace

void Acknowledgements::acknowledged(std::vector<Sent> done, const wire::Ack& ack) {
  const Answers answers(ack);
  given_.destinations.ask_for_new();
  for (std::size_t i = 0; i < done.size();) {
    const auto turn = done[i].turn;
    std::vector<sync::Operation> applied;
    std::vector<State::FolderLook> looks;
    if (Account* account = given_.roster.find(turn->order.account)) {
      given_.unclean_ends.note_acknowledged(turn->order.root_name);
      account->acknowledged = given_.unclean_ends.last_acknowledged();
    }
    for (; i < done.size() && done[i].turn == turn; ++i) {
      const std::uint64_t sequence = done[i].sequence;
      auto& operation = done[i].operation;
      ++turn->acknowledged;
      if (const auto* left = find(answers.looks, sequence)) looks.insert(looks.end(), left->begin(), left->end());
      if (operation.kind == sync::OperationKind::put) {
        --turn->pending_messages;
        turn->pending_bytes -= std::min<std::uint64_t>(turn->pending_bytes, operation.result.size);
      }
      if (const auto* failure = find(answers.failed, sequence)) {
        refused(*turn, operation, **failure);
        continue;
      }
      if (const auto* name = find(answers.renamed, sequence); name != nullptr && !is_beside(*turn, operation, **name)) {
        continue;
      }
      if (const auto* mode = find(answers.lesser_modes, sequence)) has_lesser_mode(*turn, operation, *mode);
      if (const auto* time = find(answers.other_times, sequence)) {
        has_other_date(*turn, operation, *time);
      } else if (is_beyond_carried(operation.result.mtime)) {
        has_other_date(*turn, operation, operation.result.mtime);
      }
      if (answers.indexed.contains(sequence)) turn->indexed.insert(operation.to.folder);
      applied.push_back(std::move(operation));
    }
    given_.keeper.keep(turn, std::move(applied), std::move(looks));
    given_.ends.answered(turn);
  }
}

void Acknowledgements::lost(const std::vector<Sent>& sent) {
  std::vector<std::shared_ptr<Turn>> turns;
  for (const auto& one : sent) {
    if (!one.turn->lost) turns.push_back(one.turn);
    one.turn->lost = true;
  }
  for (const auto& turn : turns)
    given_.ends.answered(turn);
}

/// The message has another name at the destination, beside a file of somebody else's. False when there is nothing for
/// the state to take down: it is not a name that a receiver gives, or not a new one.
bool Acknowledgements::is_beside(Turn& turn, const sync::Operation& operation, const std::string& name) {
  if (!is_name_beside(operation.to.name, name)) {
    wire::Ack::Failed lie;
    lie.set_code(static_cast<std::uint32_t>(ErrorCode::unexpected));
    lie.set_detail("the receiver says that it gave the message the name \"" + name +
                   "\", which is not one that it gives; is it ours, and whole?");
    refused(turn, operation, lie);
    return false;
  }
  ++given_.totals.conflicts;
  auto alias = std::string(maildir::base_of(name));
  // Its own name, that it was to have back, was taken again.
  if (operation.kind == sync::OperationKind::rename && maildir::base_of(operation.from.name) == alias) return false;
  given_.keeper.write([id = turn.order.account, folder = operation.to.folder,
                       base = std::string(sync::base_name(operation.result)),
                       alias = std::move(alias)](State& state) { return state.set_alias(id, folder, base, alias); });
  return true;
}

void Acknowledgements::refused(Turn& turn, const sync::Operation& operation, const wire::Ack::Failed& failed) {
  const sync::Location& at = takes_away(operation.kind) ? operation.from : operation.to;
  const auto code = static_cast<ErrorCode>(failed.code());
  const AccountId id = turn.order.account;
  if (may_be_done(code, failed)) turn.in_doubt = true;
  turn.failed_folders.insert(at.folder);
  if (operation.kind == sync::OperationKind::put && is_by_rule(code)) turn.refused_puts.insert(path_of(at));
  std::erase_if(turn.report.signatures, [&](const auto& signature) { return signature.first == at; });
  if (operation.kind == sync::OperationKind::set_attributes) {
    given_.keeper.write([id, at](State& state) { return state.forget_inode(id, at); });
  }
  if (failed.whole_root()) turn.root_trouble = Problem{code, "", failed.detail()};
  service::log_debug("refused account={} path={} code={} detail=\"{}\"", turn.order.account_name, path_of(at),
                     to_string(code), failed.detail());
  if (code == ErrorCode::destination_gone) {
    turn.retry = true;
    return given_.destinations.hold_root_of(id, failed.detail());
  }
  if (code == ErrorCode::no_space) {
    turn.retry = true;
    return given_.rooms.has_none(turn, operation, failed.detail());
  }
  if (code == ErrorCode::basis_mismatch) {
    given_.keeper.write([id, at](State& state) { return state.forget_content(id, at); });
  }
  if (code == ErrorCode::older_decision || code == ErrorCode::foreign_agent || code == ErrorCode::decisions_lost) {
    turn.retry = turn.wants_comparison = true;
    return given_.agreements.disagreed(turn.order.root_name);
  }
  Account* account = given_.roster.find(id);
  const bool is_link_of_nothing = code == ErrorCode::unexpected && operation.kind == sync::OperationKind::link &&
                                  turn.refused_puts.contains(path_of(operation.from));
  if (account != nullptr && is_link_of_nothing) {
    account->alone.insert(path_of(at));
    turn.retry = true;
    return;
  }
  if (account != nullptr && code == ErrorCode::conflict && finds_a_file(operation.kind)) {
    const sync::Location& found = operation.kind == sync::OperationKind::set_attributes ? operation.to : operation.from;
    if (account->not_ours.insert(path_of(found)).second) {  // ours is put beside it, once that is known
      turn.retry = turn.wants_comparison = true;
      return;
    }
  }
  note_refusal(turn, at, code, failed.detail());
}

void Acknowledgements::note_refusal(Turn& turn, const sync::Location& at, ErrorCode code, const std::string& detail) {
  Account* account = given_.roster.find(turn.order.account);
  const auto after = account != nullptr ? account->refusals.note(code, path_of(at)) : AfterRefusal::look;
  turn.retry |= after != AfterRefusal::named;
  turn.wants_comparison |= after == AfterRefusal::look || after == AfterRefusal::stuck;
  if (after == AfterRefusal::again) return;
  if (after == AfterRefusal::look) {
    service::log_info(
        "destination-differs root={} account={} path={} code={} action=\"it is looked at, and sent again\"",
        turn.order.root_name, turn.order.account_name, os::printable(path_of(at)), to_string(code));
    turn.looked_for.push_back({code, path_of(at), detail});
    return;
  }
  const std::string stuck = after == AfterRefusal::stuck
                                ? "; the destination was looked at several times and it stayed so: does something "
                                  "else write there? It is tried again"
                                : "";
  turn.refused.push_back({code, path_of(at), detail + stuck});
}

}  // namespace maildirsync::agent
