// Whose turn it is, and what the turn is given to do.

#include <future>

#include <asio/post.hpp>

#include "agent/engine/engine.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr int k_reads_for_later = 64;

/// A look at the structure does not list what has not changed. So what is a problem is looked at by its name: it is
/// still one, or it is sent.
void look_at_problems(const Account& account, Work& work) {
  for (const auto& [path, problem] : account.problems) {
    if (problem.code == ErrorCode::unwatched) continue;
    auto at = location_of(path);
    if (at.name.empty()) continue;
    auto& dirt = work.folders[at.folder];
    if (!dirt.everything) dirt.names.insert({at.area, std::move(at.name)});
    // What is in the way there may have gone, or changed.
    work.compare |= tells_of_destination(problem.code);
  }
}

}  // namespace

void Engine::schedule(Account& account) {
  const Root& root = roots_[account.root];
  if (account.queued || account.turn || account.is_stopped() || account.awaits_discovery || account.work.empty() ||
      root.is_held() || !root.agreement.reached || root.removed || !root.directory || stopping_) {
    return;
  }
  const Time now = Clock::now();
  if (account.not_before > now) {
    delayed_.emplace(account.not_before, account.id);
    arm_delay_timer();
    return;
  }
  account.queued = true;
  const Work& work = account.work;
  const bool live = account.complete && !work.structure && !work.full && !work.compare;
  (live ? live_ : bulk_).push_back(account.id);
}

void Engine::schedule_all() {
  for (auto& [id, account] : accounts_)
    schedule(account);
  dispatch();
}

void Engine::delay(Account& account, Clock::duration by) {
  account.not_before = Clock::now() + by;
  schedule(account);
}

void Engine::arm_delay_timer() {
  if (delayed_.empty() || stopping_) return;
  delay_timer_.expires_at(delayed_.begin()->first);
  delay_timer_.async_wait([this](const asio::error_code& error) {
    if (error || stopping_) return;
    const Time now = Clock::now();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      const AccountId id = delayed_.begin()->second;
      delayed_.erase(delayed_.begin());
      if (const auto found = accounts_.find(id); found != accounts_.end()) schedule(found->second);
    }
    arm_delay_timer();
    dispatch();
  });
}

Account* Engine::next_account(bool live_only) {
  for (auto* queue : {&live_, &bulk_}) {
    if (queue == &bulk_ && live_only) return nullptr;
    while (!queue->empty()) {
      const auto found = accounts_.find(queue->front());
      queue->pop_front();
      if (found == accounts_.end()) continue;
      found->second.queued = false;
      const Root& root = roots_[found->second.root];
      if (found->second.is_stopped() || found->second.turn || root.is_held() || root.removed || !root.agreement.reached)
        continue;
      return &found->second;
    }
  }
  return nullptr;
}

/// The first lane is kept for live changes, so that no first copy stands before them.
void Engine::dispatch() {
  if (paused_ || stopping_) return;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    if (!lane.link().is_up() || lane.turn()) continue;
    Account* account = next_account(i == 0 && lanes_.size() > 1);
    if (account != nullptr) give(lane, *account);
  }
}

/// What the watcher has until now, and of it the messages of one account; the rest stays for its next turn.
std::optional<Work> Engine::take_later_messages(AccountId id) {
  bool more = true;
  for (int i = 0; more; ++i) {
    if (i == k_reads_for_later) return std::nullopt;  // it fills as fast as it is read
    auto taken = watcher_->read();
    for (const auto& event : taken.events)
      take_event(event);
    more = taken.more;
  }
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return std::nullopt;
  Work& work = found->second.work;
  if (work.structure || work.full || work.compare) return std::nullopt;
  Work taken;
  for (auto& [path, dirt] : work.folders) {
    if (dirt.everything) return std::nullopt;
    for (const auto& name : dirt.names) {
      if (name.area != sync::Area::folder) taken.folders[path].names.insert(name);
    }
  }
  for (const auto& [path, dirt] : taken.folders) {
    auto& left = work.folders[path].names;
    for (const auto& name : dirt.names)
      left.erase(name);
    if (left.empty()) work.folders.erase(path);
  }
  if (work.empty()) work.oldest.reset();  // what was taken is younger than what the turn began with
  return taken;
}

/// Called by a lane; waits for the loop, but not for one that is ending.
std::optional<Work> Engine::ask_for_later_messages(AccountId id) {
  auto promise = std::make_shared<std::promise<std::optional<Work>>>();
  auto answer = promise->get_future();
  asio::post(loop_, [this, id, promise] { promise->set_value(take_later_messages(id)); });
  return answer.wait_for(2s) == std::future_status::ready ? answer.get() : std::nullopt;
}

void Engine::give(Lane& lane, Account& account) {
  const Root& root = roots_[account.root];
  auto turn = std::make_shared<Turn>();
  const auto mass_seen = mass_that_may_be_believed(account);  // may find that the root loses much
  turn->order = {.account = account.id,
                 .root_name = root.config.name,
                 .account_path = account.path,
                 .account_name = account.name,
                 .root = root.directory,
                 .mode = root.mode,
                 .owners = root.config.owners,
                 .decision = root.agreement.token,
                 .ask = ask_about_users(account),
                 .given_until = root.agreement.comparing || !account.complete
                                    ? decided(root).empty() ? 0 : decided(root).back().given_until
                                    : 0,
                 .work = std::exchange(account.work, {}),
                 .not_ours = account.not_ours,
                 .alone = account.alone,
                 .released = account.released,
                 .gone_confirmed = account.gone_confirmed,
                 .recently_removed = account.losses.in_window(Clock::now()),
                 .removed_within_hour = account.losses.in_hour(Clock::now()),
                 .root_wanes = wanes(account.root),
                 .has_trash = has_trash(account),
                 .root_loses = account.hold == sync::Hold::root_loses || loses_much(account.root),
                 .mass_seen = mass_seen,
                 .missing_there = missing_that_may_be_believed(account),
                 .generation = 0,
                 .room = root.room,
                 .waits_for_room = account.room.has_value()};
  if (std::exchange(account.in_doubt, false)) turn->order.work.compare = true;
  if (Work& work = turn->order.work; work.structure || work.full || work.compare) look_at_problems(account, work);
  turn->order.waits_for_room &= !turn->order.work.structure;  // else it sees by itself what waits
  turn->order.later = [this, id = account.id] { return ask_for_later_messages(id); };
  if (turn->order.work.structure || turn->order.work.full) turn->order.generation = account.wanted_generation;
  account.turn = turn;
  Link& live = lanes_.front()->link();
  lane.give(std::move(turn), config_.transfer, (live.is_up() ? live : lane.link()).shared_from_this());
}

}  // namespace maildirsync::agent
