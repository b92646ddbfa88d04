// The end of a turn: what it found, what the receiver answered, and what follows.

#include "agent/engine/turn_ends.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>

#include "agent/accounts/problems.h"
#include "agent/engine/next_turn.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

/// Why the turn must be repeated, as far as it says so.
Account::Unclean unclean_of(const Turn& turn) {
  Account::Unclean unclean;
  for (const auto* list : {&turn.refused, &turn.looked_for}) {
    if (!list->empty() && unclean.refused.empty()) unclean.refused = list->front().path + ": " + list->front().detail;
  }
  if (turn.report.end == TurnEnd::failed && !turn.report.problems.empty()) {
    unclean.refused = turn.report.problems.back().detail;
  }
  const auto& again = turn.report.again;
  unclean.removals_wait = turn.report.removals != Removals::go;
  unclean.settles_there = turn.report.end == TurnEnd::settling;
  if (!unclean.removals_wait && !unclean.settles_there && !again.empty()) {
    const std::string folder = again.folders.empty() ? "" : again.folders.begin()->first;
    unclean.unrested = folder.empty() ? "its own folder" : "folder " + folder;
  }
  return unclean;
}

EndedTurn ended_of(const Turn& turn, const Account& account, EndedTurn::Room room) {
  const TurnReport& report = turn.report;
  EndedTurn ended;
  ended.end = report.end;
  if (turn.lost) ended.connection = EndedTurn::Connection::lost;
  if (turn.retry) ended.retry = EndedTurn::Retry::yes;
  if (!turn.looked_for.empty()) ended.refused = EndedTurn::Refused::looked_for;
  if (!turn.refused.empty()) ended.refused = EndedTurn::Refused::named;
  if (turn.in_doubt) ended.destination = EndedTurn::Destination::in_doubt;
  if (turn.wants_comparison) ended.destination = EndedTurn::Destination::differs;
  ended.removals = report.removals;
  ended.room = room;
  ended.ordered = turn.order.work;
  ended.later = report.later;
  ended.again = report.again;
  ended.rests_in = report.rests_in;
  ended.generation = turn.order.generation;
  ended.satisfied = account.verified_generation;
  ended.failures = account.failures;
  return ended;
}

}  // namespace

void note_acls(Root& root, std::uint64_t acls, Keeper& keeper) {
  if (root.acls == acls) return;
  if (root.acls == 0) {
    log_problem(to_string(ErrorCode::acl), root.config.name, "", "", acl_detail(acls));
  }
  root.acls = acls;
  keeper.set_value("acls:" + root.config.name, std::to_string(acls));
}

void TurnEnds::lane_done(const std::shared_ptr<Turn>& turn) {
  turn->lane_done = true;
  if (turn->report.end == TurnEnd::lost_link) turn->lost = true;
  answered(turn);
  given_.schedule.dispatch();
}

void TurnEnds::answered(const std::shared_ptr<Turn>& turn) {
  if (!turn->lane_done || turn->finishing) return;
  if (turn->lost || turn->acknowledged >= turn->report.operations) finish(turn);
}

/// Writes the end of a turn to the state, after all its operations.
void TurnEnds::finish(const std::shared_ptr<Turn>& turn) {
  turn->finishing = true;
  auto& stamps = turn->report.stamps;
  turn->retry |= !turn->report.put_off.empty();
  if (turn->lost || turn->retry || turn->report.end != TurnEnd::sent) stamps.clear();
  // What was refused or waits for the next turn is only in memory: after a restart nobody knows of it, so the folder
  // must be listed then.
  for (const auto& folder : turn->failed_folders)
    stamps[folder] = {};
  for (const auto& [folder, dirt] : turn->report.again.folders)
    stamps[folder] = {};
  for (const auto& folder : turn->report.put_off)
    stamps[folder] = {};
  given_.keeper.post([this, turn](State& state) {
    const AccountId id = turn->order.account;
    const auto& report = turn->report;
    // What the state lacks must be found again: by no stamps, and by the intent that stays.
    const auto note = [&](const auto& write) {
      if (turn->unkept) return;
      if (const Result<> written = write(); !written) {
        turn->unkept = true;
        given_.keeper.failed(written.error());
      }
    };
    for (const auto& signature : report.signatures) {
      if (!turn->lost) note([&] { return state.set_signature(id, signature.first, signature.second); });
    }
    if (!report.mounts.empty() && report.end == TurnEnd::sent && !turn->lost && !turn->retry)
      note([&] { return state.set_mounts(id, report.mounts); });
    if (!report.stamps.empty()) note([&] { return state.set_stamps(id, report.stamps); });
    // An intent of a turn that was cut off, or failed in part, stays: it says what may be there of ours.
    if (report.intent && !turn->lost && !turn->in_doubt) note([&] { return state.end_turn(*report.intent); });
    const bool first_pass_done = report.structure && report.end == TurnEnd::sent && !turn->lost && !turn->retry;
    if (first_pass_done && report.account_gone && turn->refused.empty()) {
      note([&] { return state.forget_account(id); });
    } else if (first_pass_done) {
      note([&] { return state.set_complete(id, true); });
    }
    if (const auto aliases = state.aliases(id)) {
      for (const auto& [place, alias] : *aliases)
        turn->conflicts.push_back(conflict_problem(place.first, place.second, alias));
    }
    auto row = std::make_shared<Result<State::AccountRow>>(state.account_row(id));
    asio::post(given_.loop, [this, turn, row] { finished(turn, *row); });
  });
}

void TurnEnds::finished(const std::shared_ptr<Turn>& turn, const Result<State::AccountRow>& row) {
  Account* const found = given_.roster.find(turn->order.account);
  if (found == nullptr || found->turn != turn) return;
  Account& account = *found;
  const TurnReport& report = turn->report;
  account.turn.reset();
  if (turn->unkept) {
    turn->retry = turn->wants_comparison = true;
  } else if (report.end == TurnEnd::sent && (report.structure || turn->acknowledged > 0)) {
    given_.keeper.has_recovered();
  }
  const bool sent = report.end == TurnEnd::sent && !turn->lost;
  if (row) take_row(account, *row);
  if (sent && report.account_gone && turn->refused.empty() && !turn->retry) return is_removed(account);
  note_users(account, report);
  account.refusals.end_turn();
  if (sent && !turn->retry) account.alone.clear();
  if (sent) take_report(account, *turn);
  given_.unclean_ends.check();
  settle_problems(account, *turn);
  settle_root_trouble(given_.roster.root_of(account), *turn);
  plan_next(account, *turn);
  given_.schedule.add(account);
  given_.schedule.dispatch();
  given_.changed();
}

void TurnEnds::note_users(const Account& account, const TurnReport& report) {
  if (!report.users_at_work) return;
  auto& in_use = given_.roster.root_of(account).in_use;
  if (*report.users_at_work) {
    in_use.insert(account.id);
  } else {
    in_use.erase(account.id);
  }
}

/// What the state counts of it now.
void TurnEnds::take_row(Account& account, const State::AccountRow& row) {
  if (row.complete && !account.complete) {
    service::log_event({service::Severity::info,
                        "account-copied",
                        {{"root", given_.roster.root_of(account).config.name},
                         {"account", account.name},
                         {"folders", std::to_string(row.folders)},
                         {"messages", std::to_string(row.messages)},
                         {"bytes", std::to_string(row.bytes)}}});
  }
  account.complete = row.complete;
  account.folders = row.folders;
  account.messages = row.messages;
  account.bytes = row.bytes;
}

void TurnEnds::is_removed(Account& account) {
  const std::size_t root = account.root;
  given_.agreements.releases().forget(account);
  service::log_event({service::Severity::info,
                      "account-removed",
                      {{"root", given_.roster.roots[root].config.name}, {"account", account.name}}});
  given_.walks.drop_account(account.id);
  given_.walks.walk(root);  // it may have been made again meanwhile
  given_.changed();
}

/// Of a turn that sent all it had to send.
void TurnEnds::take_report(Account& account, const Turn& turn) {
  const TurnReport& report = turn.report;
  Root& root = given_.roster.root_of(account);
  if (report.structure) account.looked_at = true;
  if (report.removals != Removals::in_mass) account.mass.reset();
  if (report.listed_destination) account.missing_there.reset();
  if (report.removals == Removals::go && report.lost.messages > 0) {
    if (!turn.order.released) {
      account.losses.add(Clock::now(), report.lost.messages);
      root.losses.add(Clock::now(), report.lost.messages);
    }
    given_.holds.check_losses(account.root);
  }
  if (report.listed_destination) account.compared = true;
  if (report.listed_destination && turn.order.put_back) account.put_back = false;
  root.agreement.withheld += report.withheld;
  root.given_again += report.given_again;
  // What it found torn is on the disk again, or is known to be refused.
  if (turn.order.work.doubted_since) account.doubted = false;
  if (!turn.retry && report.acls > 0) note_acls(root, root.acls + report.acls, given_.keeper);
  // One that began before a person released the account has made no use of that.
  if (turn.order.released) given_.agreements.releases().forget(account);
}

/// Kept over restarts, for without a comparison nobody would know of them again.
void TurnEnds::set_extra(Account& account, std::size_t extra) {
  if (account.extra == extra) return;
  account.extra = extra;
  given_.keeper.set_value("extra:" + std::to_string(account.id), std::to_string(extra));
}

void TurnEnds::settle_problems(Account& account, const Turn& turn) {
  const TurnReport& report = turn.report;
  const Root& root = given_.roster.root_of(account);
  if (report.compared && (report.end == TurnEnd::sent || turn.order.work.reindex)) account.indexed.clear();
  note_indexed(account, root, {report.indexed.begin(), report.indexed.end()});
  note_indexed(account, root, {turn.indexed.begin(), turn.indexed.end()});
  if (account.indexed.empty()) account.indexed_since.reset();
  if (turn.lost) return;
  const auto before = account.problems;
  if (report.structure) {
    account.problems.clear();
    account.unwatched = report.unwatched;
    if (report.compared) set_extra(account, report.extra);
  } else {
    for (const auto& [folder, dirt] : turn.order.work.folders) {
      for (const auto& name : dirt.names)
        account.problems.erase(sync::path_of({folder, name.area, name.name}));
    }
  }
  for (const auto& path : account.conflicts)
    account.problems.erase(path);
  account.conflicts.clear();
  for (const auto* list : {&report.problems, &turn.refused, &turn.conflicts}) {
    for (const auto& problem : *list) {
      if (problem.code == ErrorCode::destination_gone) {  // of the whole root
        given_.destinations.hold_root_of(account.id, problem.detail);
        continue;
      }
      if (list == &turn.conflicts) account.conflicts.insert(problem.path);
      const auto known = before.find(problem.path);
      auto& settled = account.problems[problem.path] = problem;
      settled.since = known == before.end() ? Clock::now() : known->second.since;
      if (known == before.end() || known->second.code != problem.code) {  // said once, not at each retry
        log_problem(to_string(problem.code), turn.order.root_name, account.name, problem.path, problem.detail);
      }
    }
  }
}

/// The root can be used again once the destination did something of it.
void TurnEnds::settle_root_trouble(Root& root, const Turn& turn) {
  const auto& trouble = turn.root_trouble ? turn.root_trouble : turn.report.root_trouble;
  if (trouble && trouble->code == ErrorCode::destination_gone) {
    given_.destinations.hold(root, trouble->detail);
  } else if (trouble) {
    const Time since = root.distant_trouble ? root.distant_trouble->since : Clock::now();
    root.distant_trouble = trouble;
    root.distant_trouble->since = since;
  } else if (!turn.lost && (turn.report.compared || turn.acknowledged > 0)) {
    root.distant_trouble.reset();
    root.looks_refused = false;
  }
}

void TurnEnds::forget_root_trouble(std::size_t index) {
  const Root& root = given_.roster.roots[index];
  if (!root.distant_trouble || root.looks_refused) return;
  const auto accounts = given_.roster.accounts_of(index);
  const bool waits = std::any_of(accounts.begin(), accounts.end(), [](const Account* account) {
    return account->turn || !account->work.empty() || refused_of(*account).any();
  });
  if (!waits) given_.roster.roots[index].distant_trouble.reset();
}

/// What the account's next turn is to look at, and when.
void TurnEnds::plan_next(Account& account, const Turn& turn) {
  const TurnReport& report = turn.report;
  const bool all_sent = report.end == TurnEnd::sent && !turn.lost;
  const bool waits_for_room = all_sent && given_.rooms.wait(account, turn);
  const EndedTurn ended = ended_of(turn, account, waits_for_room ? EndedTurn::Room::waits : EndedTurn::Room::enough);
  const NextTurn next = next_turn(ended);
  account.work.merge(next.work);
  account.in_doubt |= next.in_doubt;
  account.failures = next.failures;
  if (next.satisfied) account.verified_generation = *next.satisfied;
  if (next.waits_for == NextTurn::WaitsFor::person) return hold(account, report);
  if (next.waits_for == NextTurn::WaitsFor::room) {
    account.unclean = {};
    return;
  }
  if (account.held) {
    account.rechecks = false;
    if (shows_that_all_is_well(ended)) given_.holds.end(account, "account-resumed");
  }
  if (next.waits_for == NextTurn::WaitsFor::walk) {
    account.awaits_discovery = true;
    return given_.walks.walk(account.root);
  }
  account.unclean = unclean_of(turn);
  switch (next.waits_for) {
    case NextTurn::WaitsFor::missing:
      return Holds::note_missing_there(account, report.missing_there);
    case NextTurn::WaitsFor::mass:
      return given_.holds.note_mass(account, report);
    case NextTurn::WaitsFor::its_time:
      account.not_before = Clock::now() + next.delay;
      return;
    default:
      return;
  }
}

void TurnEnds::hold(Account& account, const TurnReport& report) {
  if (report.held->code == ErrorCode::users_at_destination) {
    // After a restart too, it is compared before anything of it is sent.
    given_.keeper.write([id = account.id](State& state) { return state.set_complete(id, false); });
  }
  given_.holds.hold(account, report);
}

}  // namespace maildirsync::agent
