#include "agent/accounts/schedule.h"

#include <algorithm>
#include <utility>

namespace maildirsync::agent {

namespace {

/// Nothing of it is given to a lane now, whatever it has to do.
bool is_stopped(const Account& account, const Root& root) {
  return account.turn || account.is_stopped() || root.is_held() || root.silent_since || !root.agreement.reached ||
         root.awaits_look_for_overlap() || root.removed;
}

}  // namespace

void Schedule::begin(MakeOrder make_order, std::function<const config::Transfer&()> transfer) {
  make_order_ = std::move(make_order);
  transfer_ = std::move(transfer);
}

void Schedule::add(Account& account) {
  const Root& root = roster_.root_of(account);
  if (account.queued || is_stopped(account, root) || account.awaits_discovery || account.work.empty() ||
      !root.directory || roster_.stopping) {
    return;
  }
  const Time now = Clock::now();
  if (account.not_before > now) {
    delayed_.emplace(account.not_before, account.id);
    arm_timer();
    return;
  }
  account.queued = true;
  const bool live = account.complete && !account.work.is_whole();
  (live ? live_ : bulk_).push_back(account.id);
}

void Schedule::add_all() {
  for (auto& [id, account] : roster_.accounts)
    add(account);
  dispatch();
}

void Schedule::delay(Account& account, Clock::duration by) {
  account.not_before = Clock::now() + by;
  add(account);
}

void Schedule::arm_timer() {
  if (delayed_.empty() || roster_.stopping) return;
  timer_.expires_at(delayed_.begin()->first);
  timer_.async_wait([this](const asio::error_code& error) {
    if (error || roster_.stopping) return;
    const Time now = Clock::now();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      const AccountId id = delayed_.begin()->second;
      delayed_.erase(delayed_.begin());
      if (Account* account = roster_.find(id)) add(*account);
    }
    arm_timer();
    dispatch();
  });
}

Account* Schedule::next_account(bool live_only) {
  for (auto* queue : {&live_, &bulk_}) {
    if (queue == &bulk_ && live_only) return nullptr;
    while (!queue->empty()) {
      Account* account = roster_.find(queue->front());
      queue->pop_front();
      if (account == nullptr) continue;
      account->queued = false;
      if (!is_stopped(*account, roster_.root_of(*account))) return account;
    }
  }
  return nullptr;
}

/// How many lanes beside that for live changes may begin something: those that were made for lanes which hung are not
/// more once these go on.
std::size_t Schedule::room_for_bulk(const Lane* live) const {
  std::size_t room = lanes_.regular() - (live != nullptr ? 1 : 0);
  if (most_bulk_ > 0) room = std::min(room, most_bulk_);
  for (std::size_t i = 0; i < lanes_.size() && room > 0; ++i) {
    const Lane& lane = lanes_[i];
    if (&lane != live && lane.turn() && !lane.hangs()) --room;
  }
  return room;
}

/// The first lane that works is kept for live changes, so that no first copy stands before them.
void Schedule::dispatch() {
  if (paused_ || roster_.stopping) return;
  const Lane* live = nullptr;
  for (std::size_t i = 0; i < lanes_.size() && live == nullptr && lanes_.regular() > 1; ++i)
    live = lanes_[i].hangs() ? nullptr : &lanes_[i];
  std::size_t room = room_for_bulk(live);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (!lane.link().is_up() || lane.turn() || (&lane != live && room == 0)) continue;
    Account* account = next_account(&lane == live);
    if (account == nullptr) continue;
    if (&lane != live) --room;
    give(lane, *account);
  }
}

void Schedule::give(Lane& lane, Account& account) {
  auto turn = std::make_shared<Turn>();
  turn->order = make_order_(account);
  account.turn = turn;
  ++account.turns;
  lane.give(std::move(turn), transfer_(), lanes_.quick_link(lane));
}

}  // namespace maildirsync::agent
