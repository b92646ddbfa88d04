#pragma once

#include <functional>
#include <string>

#include <asio/io_context.hpp>

#include "agent/accounts/lanes.h"
#include "agent/accounts/roster.h"
#include "agent/accounts/schedule.h"
#include "common/os/threads.h"

namespace maildirsync::agent {

/// Destinations that are full: what waits for room, and whom the receiver is asked about. Event loop only, but for the
/// question itself.
class Rooms {
 public:
  /// `changed` is called when an answer has come.
  Rooms(asio::io_context& loop, os::Threads& askers, Roster& roster, Lanes& lanes, Schedule& schedule,
        std::function<void()> changed)
      : loop_(loop),
        askers_(askers),
        roster_(roster),
        lanes_(lanes),
        schedule_(schedule),
        changed_(std::move(changed)) {}

  /// An operation of a turn was refused for want of room.
  void has_none(Turn& turn, const sync::Operation& operation, const std::string& detail);
  /// After a turn: true when its account waits for nothing but room.
  bool wait(Account& account, const Turn& turn);
  /// Asks whether there is room for the account whose smallest file is the smallest of those that wait; not before its
  /// time, unless `at_once`.
  void ask(std::size_t root, bool at_once);
  bool is_asking() const;

 private:
  void told(std::size_t root, AccountId account, const Result<wire::MappedOwners::Room>& told);

  asio::io_context& loop_;
  os::Threads& askers_;
  Roster& roster_;
  Lanes& lanes_;
  Schedule& schedule_;
  std::function<void()> changed_;
};

}  // namespace maildirsync::agent
