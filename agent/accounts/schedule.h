#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "agent/accounts/lanes.h"
#include "agent/accounts/roster.h"

namespace maildirsync::agent {

/// Whose turn it is: the queues of accounts that have something to do, and those whose next turn begins later. Live
/// changes overtake all else. Event loop only.
class Schedule {
 public:
  /// What an account's turn is given to do, made when a lane is free for it.
  using MakeOrder = std::function<TurnOrder(Account&)>;

  Schedule(asio::io_context& loop, Roster& roster, Lanes& lanes) : roster_(roster), lanes_(lanes), timer_(loop) {}

  /// Before the first turn. `transfer` is asked at each turn.
  void begin(MakeOrder make_order, std::function<const config::Transfer&()> transfer);

  /// Queues an account that has work, unless it waits for something: a person, a walk, an agreement with the receiver,
  /// its time. Whoever ends such a wait calls this again.
  void add(Account& account);
  void add_all();
  void delay(Account& account, Clock::duration by);
  /// Gives free lanes something to do.
  void dispatch();

  /// At most so many lanes work on what is not live at once; 0: all of them.
  void set_most_bulk(std::size_t lanes) { most_bulk_ = lanes; }

  bool is_paused() const { return paused_; }
  void set_paused(bool paused) { paused_ = paused; }

  /// To wait for the state that an account has now, take a new number and write it to Account::wanted_generation.
  std::uint64_t next_generation() { return ++generation_; }
  std::uint64_t generation() const { return generation_; }

  std::size_t live() const { return live_.size(); }
  std::size_t bulk() const { return bulk_.size(); }

 private:
  void arm_timer();
  Account* next_account(bool live_only);
  std::size_t room_for_bulk(const Lane* live) const;
  void give(Lane& lane, Account& account);

  Roster& roster_;
  Lanes& lanes_;
  MakeOrder make_order_;
  std::function<const config::Transfer&()> transfer_;
  std::deque<AccountId> live_, bulk_;
  std::multimap<Time, AccountId> delayed_;
  asio::steady_timer timer_;
  std::uint64_t generation_ = 0;
  std::size_t most_bulk_ = 0;
  bool paused_ = false;
};

}  // namespace maildirsync::agent
