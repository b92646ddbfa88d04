#include "agent/requests/settlements.h"

#include <utility>

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_longest = 120s;

}  // namespace

void Settlements::settle(AccountId id, const Work& work, std::function<void(std::string)> done) {
  Account* account = parts_.roster.find(id);
  if (account == nullptr) return done("");  // its removal is durable
  if (work.compare && parts_.roster.root_of(*account).mode == config::Mode::drain) {
    return done("its root is drained: the destination goes its own way");
  }
  account->wanted_generation = parts_.schedule.next_generation();
  account->work.merge(work);
  account->not_before = {};
  waiting_.push_back({id, account->wanted_generation, Clock::now() + k_longest, std::move(done)});
  parts_.schedule.add(*account);
  parts_.schedule.dispatch();
  advance();
}

/// Nothing while it is worth waiting.
std::optional<std::string> Settlements::settled(const Waiting& waiting) const {
  const Account* account = parts_.roster.find(waiting.account);
  if (account == nullptr) return "";
  const Root& root = parts_.roster.root_of(*account);
  if (root.removed || account->verified_generation >= waiting.generation) return "";
  if (root.is_held()) return root.held_because();
  if (account->held) return account->hold_reason;
  if (parts_.schedule.is_paused())
    return "the agent is paused, and changes of this account may wait to be sent; maildirsync resume";
  if (Clock::now() < waiting.deadline) return std::nullopt;
  const std::string late = account->complete ? "its latest changes" : "its first pass, which is not finished,";
  const auto& error = parts_.lanes.error();
  return late + " did not become durable within " + std::to_string(k_longest / 1s) + " s" +
         (error ? ": " + error->message() : "");
}

void Settlements::advance() {
  std::vector<std::pair<std::function<void(std::string)>, std::string>> ready;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    auto answer = parts_.roster.stopping ? std::optional<std::string>("the agent ends") : settled(waiting);
    if (!answer) return false;
    ready.emplace_back(std::move(waiting.done), std::move(*answer));
    return true;
  });
  for (auto& [done, answer] : ready)
    done(std::move(answer));
}

}  // namespace maildirsync::agent
