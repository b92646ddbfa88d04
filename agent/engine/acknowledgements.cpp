// What the receiver answered: into the state, into the problems, and into the account's next turn.

#include <algorithm>
#include <unordered_set>

#include <asio/post.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/doubt.h"
#include "agent/engine/engine.h"
#include "common/maildir/name.h"
#include "common/os/printable.h"
#include "common/service/event.h"

namespace maildirsync::agent {

using namespace std::chrono_literals;

namespace {

using LooksBySequence = std::unordered_map<std::uint64_t, std::vector<State::FolderLook>>;

}  // namespace

namespace {

/// So often an account is tried that cannot be read, before a flush names it: it may come back at once.
constexpr unsigned k_tries_before_named = 3;

std::string date_text(std::int64_t nanoseconds) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(os::to_timespec(nanoseconds).tv_sec)));
}

}  // namespace

void Engine::link_up(std::size_t lane, const wire::Hello& receiver) {
  if (link_error_ || lane == 0) {
    spdlog::info("connected lane={} receiver={} software=\"{}\" fingerprint={}", lane, config_.receiver.text(),
                 receiver.software(), link_settings_.receiver_fingerprint);
  }
  link_error_.reset();
  trashes_ = {receiver.trash().begin(), receiver.trash().end()};
  ++connections_made_;
  heard(receiver);
  if (receiver.instance() != receiver_instance_) {
    // Another state directory there: another history. What it holds must be asked.
    if (!receiver_instance_.empty()) {
      spdlog::warn("receiver-changed action=\"every account is compared with what it holds\"");
      for (const auto& root : roots_)
        compare_all_accounts(root);
    }
    receiver_instance_ = receiver.instance();
    unclean_end_ = 0;  // it counts its own
    remember_unclean_end();
    if (const auto stored = state_->set_value("receiver_instance", receiver_instance_); !stored) {
      keeper_failed(stored.error());
    }
  }
  if (receiver.has_unclean_end()) look_again(receiver.unclean_end());
  receiver_knows_looks_ = receiver.knows_looks();
  learn_destinations(receiver.destinations());
  const bool is_first =
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& l) { return l->link().is_up(); }) == 0;
  asio::post(loop_, [this, is_first] {
    if (is_first) {
      has_asked_for_destinations_ = false;
      check_all_looks();
    }
    check_flushes();
    dispatch();
    check_plans();
  });
}

/// After a power cut there: what was acknowledged shortly before it is compared, by content where it is that young.
/// The end is noted as dealt with when the last of these accounts is compared.
void Engine::look_again(const wire::UncleanEnd& end) {
  if (end.number() == unclean_end_) return;
  unclean_end_ = end.number();
  std::size_t count = 0;
  for (auto& [id, account] : accounts_) {
    if (!is_in_doubt(started_, last_acknowledged_, account.acknowledged)) continue;
    ++count;
    account.doubted = true;
    account.work.compare = account.work.structure = true;
    account.work.doubted_since = end.since();
    schedule(account);
  }
  spdlog::warn(
      "receiver-unclean-end number={} accounts={} action=\"what it had acknowledged shortly before is looked at "
      "again\"",
      end.number(), count);
  looks_again_ = true;
  check_looked_again();
}

void Engine::check_looked_again() {
  if (!looks_again_) return;
  if (std::any_of(accounts_.begin(), accounts_.end(), [](const auto& known) { return known.second.doubted; })) return;
  looks_again_ = false;
  spdlog::info("receiver-looked-at unclean_end={}", unclean_end_);
  remember_unclean_end();
}

void Engine::remember_unclean_end() {
  const auto stored = state_->set_value("receiver_unclean_end", std::to_string(unclean_end_));
  if (!stored) keeper_failed(stored.error());
}

void Engine::link_down(std::size_t lane, const Error& error, std::vector<Sent> lost) {
  if (stopping_) return;
  if (!link_error_ || link_error_->detail != error.detail) {
    spdlog::warn("disconnected lane={} receiver={} code={} reason=\"{}\"", lane, config_.receiver.text(),
                 to_string(error.code), error.message());
  }
  link_error_ = error;
  std::vector<std::shared_ptr<Turn>> turns;
  for (auto& sent : lost) {
    if (!sent.turn->lost) turns.push_back(sent.turn);
    sent.turn->lost = true;
  }
  for (const auto& turn : turns)
    finish_if_answered(turn);
}

void Engine::acknowledged(std::vector<Sent> done, const wire::Ack& ack) {
  std::unordered_map<std::uint64_t, const wire::Ack::Failed*> failed;
  for (const auto& failure : ack.failed())
    failed.emplace(failure.sequence(), &failure);
  std::unordered_map<std::uint64_t, const wire::Ack::Renamed*> renamed;
  for (const auto& rename : ack.renamed())
    renamed.emplace(rename.sequence(), &rename);
  std::unordered_map<std::uint64_t, std::uint32_t> lesser_modes;
  for (const auto& lesser : ack.lesser_modes())
    lesser_modes.emplace(lesser.sequence(), lesser.mode());
  std::unordered_map<std::uint64_t, std::int64_t> other_times;
  for (const auto& other : ack.other_times())
    other_times.emplace(other.sequence(), other.time());
  const std::unordered_set<std::uint64_t> indexed(ack.indexed().begin(), ack.indexed().end());
  LooksBySequence looks;
  for (const auto& left : ack.left())
    looks[left.sequence()].push_back({left.folder(), left.before(), left.after()});
  last_acknowledged_ = Clock::now();
  ask_for_new_destinations();
  for (std::size_t i = 0; i < done.size();) {
    const auto turn = done[i].turn;
    std::vector<sync::Operation> applied;
    std::vector<State::FolderLook> looks_of_turn;
    if (const auto account = accounts_.find(turn->order.account); account != accounts_.end()) {
      account->second.acknowledged = last_acknowledged_;
    }
    for (; i < done.size() && done[i].turn == turn; ++i) {
      auto& operation = done[i].operation;
      ++turn->acknowledged;
      if (const auto found = looks.find(done[i].sequence); found != looks.end())
        std::move(found->second.begin(), found->second.end(), std::back_inserter(looks_of_turn));
      if (operation.kind == sync::OperationKind::put) {
        --turn->pending_messages;
        turn->pending_bytes -= std::min<std::uint64_t>(turn->pending_bytes, operation.result.size);
      }
      if (const auto refusal = failed.find(done[i].sequence); refusal != failed.end()) {
        refused(*turn, operation, *refusal->second);
        continue;
      }
      if (const auto rename = renamed.find(done[i].sequence); rename != renamed.end()) {
        if (!is_name_beside(operation.to.name, rename->second->name())) {
          wire::Ack::Failed lie;
          lie.set_code(static_cast<std::uint32_t>(ErrorCode::unexpected));
          lie.set_detail("the receiver says that it gave the message the name \"" + rename->second->name() +
                         "\", which is not one that it gives; is it ours, and whole?");
          refused(*turn, operation, lie);
          continue;
        }
        ++totals_.conflicts;
        const auto alias = std::string(maildir::base_of(rename->second->name()));
        const auto base = std::string(sync::base_name(operation.result));
        // Its own name, that it was to have back, was taken again.
        if (operation.kind == sync::OperationKind::rename && maildir::base_of(operation.from.name) == alias) continue;
        asio::post(keeper_, [this, id = turn->order.account, folder = operation.to.folder, base, alias] {
          if (const auto set = state_->set_alias(id, folder, base, alias); !set) keeper_failed(set.error());
        });
      }
      if (const auto lesser = lesser_modes.find(done[i].sequence); lesser != lesser_modes.end()) {
        has_lesser_mode(*turn, operation, lesser->second);
      }
      if (const auto other = other_times.find(done[i].sequence); other != other_times.end()) {
        has_other_date(*turn, operation, other->second);
      } else if (is_beyond_carried(operation.result.mtime)) {
        has_other_date(*turn, operation, operation.result.mtime);
      }
      if (indexed.contains(done[i].sequence)) turn->indexed.insert(operation.to.folder);
      applied.push_back(std::move(operation));
    }
    keep(turn, std::move(applied), std::move(looks_of_turn));
    finish_if_answered(turn);
  }
}

/// The state takes down the mode that the file has there, and no inode, for a listing believes what it knows of an
/// inode: so each look asks for the source's mode again, and hears again that it can't be had.
void Engine::has_lesser_mode(Turn& turn, sync::Operation& operation, std::uint32_t mode) {
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
void Engine::has_other_date(Turn& turn, sync::Operation& operation, std::int64_t date) {
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

/// What waits for the keeper goes into the state together: a transaction costs as much as many operations. But not too
/// many, for lanes wait while it lasts.
void Engine::keep(const std::shared_ptr<Turn>& turn, std::vector<sync::Operation> applied,
                  std::vector<State::FolderLook> looks) {
  constexpr std::size_t k_together = 1000;
  if (applied.empty() && looks.empty()) return;
  const std::lock_guard lock(unkept_mutex_);
  const bool is_on_its_way = !unkept_.empty();
  const auto last = std::find_if(unkept_.rbegin(), unkept_.rend(), [&](const auto& one) { return one.turn == turn; });
  if (last != unkept_.rend() && last->operations.size() < k_together) {
    std::move(applied.begin(), applied.end(), std::back_inserter(last->operations));
    std::move(looks.begin(), looks.end(), std::back_inserter(last->looks));
  } else {
    unkept_.push_back({turn, std::move(applied), std::move(looks)});
  }
  if (is_on_its_way) return;
  asio::post(keeper_, [this] {
    decltype(unkept_) taken;
    {
      const std::lock_guard taking(unkept_mutex_);
      std::swap(taken, unkept_);
    }
    for (const auto& one : taken) {
      const AccountId id = one.turn->order.account;
      const auto stored = state_->apply(id, one.operations, one.looks);
      if (!stored) {
        one.turn->unkept = true;
        keeper_failed(stored.error());
      } else if (!stored->empty()) {
        asio::post(loop_, [this, id] { compare_at_destination(id); });
      }
    }
  });
}

namespace {

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

}  // namespace

void Engine::refused(Turn& turn, const sync::Operation& operation, const wire::Ack::Failed& failed) {
  const bool takes_away =
      operation.kind == sync::OperationKind::remove || operation.kind == sync::OperationKind::remove_folder;
  const sync::Location& at = takes_away ? operation.from : operation.to;
  const auto code = static_cast<ErrorCode>(failed.code());
  if (may_be_done(code, failed)) turn.in_doubt = true;
  turn.failed_folders.insert(at.folder);
  if (operation.kind == sync::OperationKind::put && is_by_rule(code)) turn.refused_puts.insert(path_of(at));
  std::erase_if(turn.report.signatures, [&](const auto& signature) { return signature.first == at; });
  if (operation.kind == sync::OperationKind::set_attributes) {
    asio::post(keeper_, [this, id = turn.order.account, at] {
      if (const auto doubted = state_->doubt(id, at); !doubted) keeper_failed(doubted.error());
    });
  }
  if (failed.whole_root()) turn.root_trouble = Problem{code, "", failed.detail()};
  spdlog::debug("refused account={} path={} code={} detail=\"{}\"", turn.order.account_name, path_of(at),
                to_string(code), failed.detail());
  if (code == ErrorCode::destination_gone) {
    turn.retry = true;
    return hold_destination_of(turn.order.account, failed.detail());
  }
  if (code == ErrorCode::no_space) {
    turn.retry = true;
    return has_no_room(turn, operation, failed.detail());
  }
  if (code == ErrorCode::basis_mismatch) {
    asio::post(keeper_, [this, id = turn.order.account, at] {
      if (const auto forgotten = state_->forget_content(id, at); !forgotten) keeper_failed(forgotten.error());
    });
  }
  if (code == ErrorCode::older_decision || code == ErrorCode::foreign_agent) {
    // Somebody has decided something meanwhile, or the receiver has lost what it knew.
    turn.retry = turn.wants_comparison = true;
    for (std::size_t i = 0; i < roots_.size(); ++i) {
      if (roots_[i].removed || roots_[i].config.name != turn.order.root_name || !roots_[i].agreement.reached) continue;
      roots_[i].agreement.reached = false;
      tell(i);
    }
    return;
  }
  const auto account = accounts_.find(turn.order.account);
  const bool is_link_of_nothing = code == ErrorCode::unexpected && operation.kind == sync::OperationKind::link &&
                                  turn.refused_puts.contains(path_of(operation.from));
  if (account != accounts_.end() && is_link_of_nothing) {
    account->second.alone.insert(path_of(at));
    turn.retry = true;
    return;
  }
  if (account != accounts_.end() && code == ErrorCode::conflict && finds_a_file(operation.kind)) {
    const sync::Location& found = operation.kind == sync::OperationKind::set_attributes ? operation.to : operation.from;
    if (account->second.not_ours.insert(path_of(found)).second) {  // ours is put beside it, once that is known
      turn.retry = turn.wants_comparison = true;
      return;
    }
  }
  const auto after = account != accounts_.end() ? account->second.refusals.note(code, path_of(at)) : AfterRefusal::look;
  turn.retry |= after != AfterRefusal::named;
  turn.wants_comparison |= after == AfterRefusal::look || after == AfterRefusal::stuck;
  if (after == AfterRefusal::again) return;
  if (after == AfterRefusal::look) {
    spdlog::info("destination-differs root={} account={} path={} code={} action=\"it is looked at, and sent again\"",
                 turn.order.root_name, turn.order.account_name, os::printable(path_of(at)), to_string(code));
    turn.looked_for.push_back({code, path_of(at), failed.detail()});
    return;
  }
  const std::string stuck = after == AfterRefusal::stuck
                                ? "; the destination was looked at several times and it stayed so: does something "
                                  "else write there? It is tried again"
                                : "";
  turn.refused.push_back({code, path_of(at), failed.detail() + stuck});
}

void Engine::lane_done(std::shared_ptr<Turn> turn) {
  turn->lane_done = true;
  if (turn->report.end == TurnEnd::lost_link) turn->lost = true;
  finish_if_answered(turn);
  dispatch();
}

void Engine::finish_if_answered(const std::shared_ptr<Turn>& turn) {
  if (!turn->lane_done || turn->finishing) return;
  if (turn->lost || turn->acknowledged >= turn->report.operations) finish(turn);
}

/// Writes the end of a turn to the state, after all its operations.
void Engine::finish(const std::shared_ptr<Turn>& turn) {
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
  asio::post(keeper_, [this, turn] {
    const AccountId id = turn->order.account;
    const auto& report = turn->report;
    // What the state lacks must be found again: by no stamps, and by the intent that stays.
    const auto note = [&](const auto& write) {
      if (turn->unkept) return;
      if (const Result<> written = write(); !written) {
        turn->unkept = true;
        keeper_failed(written.error());
      }
    };
    for (const auto& signature : report.signatures) {
      if (!turn->lost) note([&] { return state_->set_signature(id, signature.first, signature.second); });
    }
    if (!report.mounts.empty() && report.end == TurnEnd::sent && !turn->lost && !turn->retry)
      note([&] { return state_->set_mounts(id, report.mounts); });
    if (!report.stamps.empty()) note([&] { return state_->set_stamps(id, report.stamps); });
    // An intent of a turn that was cut off, or failed in part, stays: it says what may be there of ours.
    if (report.intent && !turn->lost && !turn->in_doubt) note([&] { return state_->end_turn(*report.intent); });
    const bool first_pass_done = report.structure && report.end == TurnEnd::sent && !turn->lost && !turn->retry;
    if (first_pass_done && report.account_gone && turn->refused.empty()) {
      note([&] { return state_->forget_account(id); });
    } else if (first_pass_done) {
      note([&] { return state_->set_complete(id, true); });
    }
    if (const auto aliases = state_->aliases(id)) {
      for (const auto& [place, alias] : *aliases)
        turn->conflicts.push_back(conflict_problem(place.first, place.second, alias));
    }
    auto row = std::make_shared<Result<State::AccountRow>>(state_->account_row(id));
    asio::post(loop_, [this, turn, row] { finished(turn, *row); });
  });
}

void Engine::finished(const std::shared_ptr<Turn>& turn, const Result<State::AccountRow>& row) {
  const auto found = accounts_.find(turn->order.account);
  if (found == accounts_.end() || found->second.turn != turn) return;
  Account& account = found->second;
  const TurnReport& report = turn->report;
  account.turn.reset();
  if (turn->unkept) {
    turn->retry = turn->wants_comparison = true;
  } else if (report.end == TurnEnd::sent && (report.structure || turn->acknowledged > 0)) {
    state_error_.reset();  // this turn wrote to it
  }
  const bool sent = report.end == TurnEnd::sent && !turn->lost;
  if (row) {
    if (row->complete && !account.complete) {
      service::log_event({service::Severity::info,
                          "account-copied",
                          {{"root", turn->order.root_name},
                           {"account", account.name},
                           {"folders", std::to_string(row->folders)},
                           {"messages", std::to_string(row->messages)},
                           {"bytes", std::to_string(row->bytes)}}});
    }
    account.complete = row->complete;
    account.folders = row->folders;
    account.messages = row->messages;
    account.bytes = row->bytes;
  }
  if (sent && report.account_gone && turn->refused.empty() && !turn->retry) {
    service::log_event(
        {service::Severity::info, "account-removed", {{"root", turn->order.root_name}, {"account", account.name}}});
    const std::size_t root = account.root;
    forget_release(account);
    drop_account(turn->order.account);
    discover_root(root);  // it may have been made again meanwhile
    check_flushes();
    return;
  }
  account.refusals.end_turn();
  if (sent && !turn->retry) account.alone.clear();
  if (sent && report.structure) account.looked_at = true;
  if (sent && !report.mass_waits) account.mass.reset();
  if (sent && report.listed_destination) account.missing_there.reset();
  if (sent && !report.removals_wait && report.lost.messages > 0) {
    if (!turn->order.released) {
      account.losses.add(Clock::now(), report.lost.messages);
      roots_[account.root].losses.add(Clock::now(), report.lost.messages);
    }
    check_losses(account.root);
  }
  if (sent && report.listed_destination) account.compared = true;
  if (sent) roots_[account.root].agreement.withheld += report.withheld;
  // What it found torn is on the disk again, or is known to be refused.
  if (sent && turn->order.work.doubted_since) account.doubted = false;
  check_looked_again();
  if (sent && !turn->retry && report.acls > 0) {
    Root& root = roots_[account.root];
    note_acls(root, root.acls + report.acls);
  }
  if (sent) forget_release(account);
  settle_problems(account, *turn);
  settle_root_trouble(roots_[account.root], *turn);
  plan_next(account, *turn);
  schedule(account);
  dispatch();
  check_flushes();
  check_mode_changes();
}

/// Kept over restarts, for without a comparison nobody would know of them again.
void Engine::set_extra(Account& account, std::size_t extra) {
  if (account.extra == extra) return;
  account.extra = extra;
  asio::post(keeper_, [this, id = account.id, extra] {
    const auto stored = state_->set_value("extra:" + std::to_string(id), std::to_string(extra));
    if (!stored) keeper_failed(stored.error());
  });
}

void Engine::settle_problems(Account& account, const Turn& turn) {
  const TurnReport& report = turn.report;
  if (report.compared && (report.end == TurnEnd::sent || turn.order.work.reindex)) account.indexed.clear();
  note_indexed(account, {report.indexed.begin(), report.indexed.end()});
  note_indexed(account, {turn.indexed.begin(), turn.indexed.end()});
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
        hold_destination_of(account.id, problem.detail);
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

/// Why the turn must be repeated, as far as it says so.
Account::Unclean Engine::unclean(const Turn& turn) {
  Account::Unclean unclean;
  for (const auto* list : {&turn.refused, &turn.looked_for}) {
    if (!list->empty() && unclean.refused.empty()) unclean.refused = list->front().path + ": " + list->front().detail;
  }
  if (turn.report.end == TurnEnd::failed && !turn.report.problems.empty()) {
    unclean.refused = turn.report.problems.back().detail;
  }
  const auto& again = turn.report.again;
  unclean.removals_wait = turn.report.removals_wait;
  unclean.settles_there = turn.report.end == TurnEnd::settling;
  if (!unclean.removals_wait && !unclean.settles_there && !again.empty()) {
    const std::string folder = again.folders.empty() ? "" : again.folders.begin()->first;
    unclean.unrested = folder.empty() ? "its own folder" : "folder " + folder;
  }
  return unclean;
}

/// The root can be used again once the destination did something of it.
void Engine::settle_root_trouble(Root& root, const Turn& turn) {
  const auto& trouble = turn.root_trouble ? turn.root_trouble : turn.report.root_trouble;
  if (trouble && trouble->code == ErrorCode::destination_gone) {
    hold_destination(root, trouble->detail);
  } else if (trouble) {
    const Time since = root.distant_trouble ? root.distant_trouble->since : Clock::now();
    root.distant_trouble = trouble;
    root.distant_trouble->since = since;
  } else if (!turn.lost && (turn.report.compared || turn.acknowledged > 0)) {
    root.distant_trouble.reset();
  }
}

/// What the destination refused may be gone from the source, so that nobody asks it again. If the root cannot be used
/// still, the next change says so.
void Engine::forget_root_trouble(std::size_t index) {
  if (!roots_[index].distant_trouble) return;
  const auto accounts = accounts_of(index);
  const bool waits = std::any_of(accounts.begin(), accounts.end(), [](const Account* account) {
    return account->turn || !account->work.empty() || refused_of(*account).any();
  });
  if (!waits) roots_[index].distant_trouble.reset();
}

/// Kept over restarts: what is pruned is not asked for its ACL again.
void Engine::note_acls(Root& root, std::uint64_t acls) {
  if (root.acls == acls) return;
  if (root.acls == 0) {
    log_problem(to_string(ErrorCode::acl), root.config.name, "", "", acl_detail(acls));
  }
  root.acls = acls;
  if (const auto stored = state_->set_value("acls:" + root.config.name, std::to_string(acls)); !stored) {
    keeper_failed(stored.error());
  }
}

/// What the account's next turn is to look at, and when.
void Engine::plan_next(Account& account, const Turn& turn) {
  const TurnReport& report = turn.report;
  const bool verifies = turn.order.generation > account.verified_generation;
  if (!turn.lost && report.end == TurnEnd::sent && wait_for_room(account, turn) && turn.refused.empty() &&
      turn.looked_for.empty() && report.again.empty()) {
    account.failures = 0;
    account.unclean = {};
    if (turn.order.generation != 0) account.verified_generation = turn.order.generation;
    return;
  }
  account.work.merge(report.again);
  if (turn.lost || turn.retry || report.end != TurnEnd::sent) account.work.merge(report.later);
  if (turn.lost) {
    account.work.merge(turn.order.work);
    account.work.compare = account.work.structure = true;
  }
  if (turn.wants_comparison) account.work.compare = true;
  if (turn.in_doubt) account.in_doubt = true;
  if (turn.retry) {
    account.work.structure = true;
    // A change in place leaves no trace in the stamps: only its event tells of it.
    Work named;
    named.folders = turn.order.work.folders;
    account.work.merge(named);
    if (turn.order.work.oldest) account.work.changed_at(*turn.order.work.oldest);
  }
  if (report.end == TurnEnd::failed) account.work.structure = true;
  if (report.end == TurnEnd::held && report.lost_mount) {
    account.hold_loss = report.lost;
    return hold(account, report.lost_mount->code, report.lost_mount->detail);
  }
  if (report.end == TurnEnd::held) {
    if (!report.users_at_work) return hold_for_brake(account, turn);
    // After a restart too, it is compared before anything of it is sent.
    asio::post(keeper_, [this, id = account.id] {
      if (const auto noted = state_->set_complete(id, false); !noted) keeper_failed(noted.error());
    });
    hold(account, report.users_at_work->code, report.users_at_work->detail);
    return;
  }
  if (account.held) {
    account.rechecks = false;
    const bool is_well = report.end == TurnEnd::sent && !turn.lost && !report.removals_wait;
    if (is_well) end_hold(account, "account-resumed");
  }
  if (report.end == TurnEnd::gone) {
    account.work.merge(turn.order.work);
    account.awaits_discovery = true;
    discover_root(account.root);
    return;
  }
  account.unclean = unclean(turn);
  const bool clean =
      report.end == TurnEnd::sent && !turn.lost && !turn.retry && !turn.wants_comparison && report.again.empty();
  if (clean) {
    account.failures = 0;
    if (turn.order.generation != 0)
      account.verified_generation = std::max(account.verified_generation, turn.order.generation);
    return;
  }
  if (verifies) {
    account.work.structure = true;
    // A flush names what the destination refuses (a full disk), or what cannot be read here, rather than wait for ever.
    const bool unreadable = report.end == TurnEnd::failed && account.failures >= k_tries_before_named;
    if (unreadable || (turn.retry && !turn.refused.empty())) account.verified_generation = turn.order.generation;
  }
  if (report.end == TurnEnd::settling) {
    note_missing_there(account, report.missing_there);
  } else if (report.mass_waits) {
    note_mass(account, report);
  } else if (report.removals_wait) {
    account.work.settled = true;
    account.not_before = Clock::now() + 250ms;
  } else if (report.rests_in > 0ns && !turn.lost && !turn.retry && report.end == TurnEnd::sent) {
    account.not_before = Clock::now() + report.rests_in;
  } else {
    const unsigned failures = std::min(account.failures++, 10U);
    const bool failed = turn.retry || report.end == TurnEnd::failed;
    // Files that come and go while they are read are no failure: people wait for the others.
    const auto step = turn.lost ? 0ms : failed ? 200ms : 10ms;
    account.not_before = Clock::now() + std::min<Clock::duration>(step * (1U << failures), failed ? 30s : 500ms);
  }
}

void Engine::keeper_failed(const Error& error) {
  spdlog::error("state-failed detail=\"{}\"", error.message());
  asio::post(loop_, [this, error] { state_error_ = error; });
}

}  // namespace maildirsync::agent
