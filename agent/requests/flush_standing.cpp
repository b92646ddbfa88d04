#include "agent/requests/flush_standing.h"

#include <algorithm>

#include <fmt/format.h>

namespace maildirsync::agent {

namespace {

std::string cause_of_wait(const FlushFacts& facts) {
  if (!facts.connected) return "waits for the connection to the receiver";
  if (facts.in_turn && !facts.looked) {
    return facts.to_send == 0 ? "is being looked at" : fmt::format("is being sent: {} messages to go", facts.to_send);
  }
  if (facts.in_turn) {
    const auto missing = facts.sent - std::min(facts.sent, facts.answered);
    return missing == 0 ? "is being recorded"
                        : fmt::format("waits for the receiver to acknowledge {} of {} operations", missing, facts.sent);
  }
  if (!facts.refused.empty()) return "is tried again, after: " + facts.refused;
  if (facts.settles_there) {
    return "waits a moment: messages are missing at the destination, and more may be going there";
  }
  if (facts.removals_wait) return "waits a moment, so that a mass deletion would be seen as a whole";
  if (!facts.unrested.empty()) return "changes while it is looked at: " + facts.unrested;
  std::string cause = facts.complete ? "waits for its turn" : "waits for its turn, the first";
  if (facts.before_it > 0) cause += fmt::format(", after {} accounts", facts.before_it);
  return cause;
}

}  // namespace

FlushStanding standing(const FlushFacts& facts) {
  if (!facts.root_hold.empty()) return {FlushEnd::cannot, facts.root_hold_code, facts.root_hold};
  if (!facts.account_hold.empty()) return {FlushEnd::cannot, facts.account_hold_code, facts.account_hold};
  if (facts.satisfied) return {};
  if (!facts.not_found.empty()) return {FlushEnd::cannot, facts.not_found_code, facts.not_found};
  if (facts.paused && !facts.in_turn) return {FlushEnd::cannot, "paused", "waits for maildirsync resume"};
  return {FlushEnd::waits, "", cause_of_wait(facts)};
}

}  // namespace maildirsync::agent
