#include "agent/engine/next_turn.h"

#include <algorithm>

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;
using Ended = EndedTurn;
using WaitsFor = NextTurn::WaitsFor;

/// So often an account is tried that cannot be read, before a flush names it: it may come back at once.
constexpr unsigned k_tries_before_named = 3;
constexpr auto k_settle = 250ms;

bool is_lost(const Ended& turn) {
  return turn.connection == Ended::Connection::lost;
}

bool retries(const Ended& turn) {
  return turn.retry == Ended::Retry::yes;
}

/// All was sent, and nothing of it has to be done again.
bool is_clean(const Ended& turn) {
  return turn.end == TurnEnd::sent && !is_lost(turn) && !retries(turn) &&
         turn.destination != Ended::Destination::differs && turn.again.empty();
}

Work work_after(const Ended& turn) {
  Work work = turn.again;
  const bool all_sent = turn.end == TurnEnd::sent && !is_lost(turn);
  if (!all_sent || retries(turn)) work.merge(turn.later);
  if (is_lost(turn)) {
    work.merge(turn.ordered);
    work.compare = work.structure = true;
  }
  if (turn.destination == Ended::Destination::differs) work.compare = true;
  if (retries(turn)) {
    work.structure = true;
    // A change in place leaves no trace in the stamps: only its event tells of it.
    Work named;
    named.folders = turn.ordered.folders;
    work.merge(named);
    if (turn.ordered.oldest) work.changed_at(*turn.ordered.oldest);
  }
  if (turn.end == TurnEnd::failed) work.structure = true;
  if (turn.end == TurnEnd::gone) work.merge(turn.ordered);
  return work;
}

/// Ever later, while turns have to be repeated.
Clock::duration backoff(const Ended& turn) {
  const bool failed = retries(turn) || turn.end == TurnEnd::failed;
  // Files that come and go while they are read are not a failure: users are waiting for the rest of the account.
  const auto step = is_lost(turn) ? 0ms : failed ? 200ms : 10ms;
  const unsigned failures = std::min(turn.failures, 10U);
  return std::min<Clock::duration>(step * (1U << failures), failed ? 30s : 500ms);
}

std::optional<std::uint64_t> satisfied_by(const Ended& turn) {
  if (turn.generation == 0) return std::nullopt;
  return std::max(turn.generation, turn.satisfied);
}

/// A flush names what the destination refuses (a full disk), or what cannot be read here, rather than wait for ever.
bool is_named(const Ended& turn) {
  const bool unreadable = turn.end == TurnEnd::failed && turn.failures >= k_tries_before_named;
  return unreadable || (retries(turn) && turn.refused == Ended::Refused::named);
}

}  // namespace

NextTurn next_turn(const EndedTurn& turn) {
  NextTurn next;
  if (turn.room == Ended::Room::waits && turn.refused == Ended::Refused::nothing && turn.again.empty()) {
    next.waits_for = WaitsFor::room;
    next.satisfied = satisfied_by(turn);
    return next;
  }
  next.work = work_after(turn);
  next.in_doubt = turn.destination == Ended::Destination::in_doubt;
  next.failures = turn.failures;
  if (turn.end == TurnEnd::held || turn.end == TurnEnd::gone) {
    next.waits_for = turn.end == TurnEnd::held ? WaitsFor::person : WaitsFor::walk;
    return next;
  }
  if (is_clean(turn)) {
    next.failures = 0;
    next.satisfied = satisfied_by(turn);
    return next;
  }
  if (turn.generation > turn.satisfied) {
    next.work.structure = true;
    if (is_named(turn)) next.satisfied = turn.generation;
  }
  next.waits_for = WaitsFor::its_time;
  if (turn.end == TurnEnd::settling) {
    next.waits_for = WaitsFor::missing;
  } else if (turn.removals == Removals::in_mass) {
    next.waits_for = WaitsFor::mass;
    next.work.settled = true;
  } else if (turn.removals == Removals::settle) {
    next.work.settled = true;
    next.delay = k_settle;
  } else if (turn.rests_in > 0ns && turn.end == TurnEnd::sent && !is_lost(turn) && !retries(turn)) {
    next.delay = turn.rests_in;
  } else {
    next.delay = backoff(turn);
    ++next.failures;
  }
  return next;
}

bool shows_that_all_is_well(const EndedTurn& turn) {
  return turn.end == TurnEnd::sent && !is_lost(turn) && turn.removals == Removals::go;
}

}  // namespace maildirsync::agent
