#pragma once

#include <map>
#include <string>

#include <asio/io_context.hpp>

#include "agent/accounts/keeper.h"
#include "agent/accounts/lanes.h"
#include "agent/accounts/roster.h"
#include "agent/accounts/schedule.h"
#include "agent/destination/overlaps.h"
#include "common/os/threads.h"

namespace maildirsync::agent {

/// The directories in which roots land, as the receiver tells of them: whether each is still the one that it was, and
/// what follows for the root's accounts. Event loop only, but for the question itself.
class Destinations {
 public:
  Destinations(asio::io_context& loop, os::Threads& askers, Roster& roster, State& state, Keeper& keeper, Lanes& lanes,
               Schedule& schedule, Overlaps& overlaps)
      : loop_(loop),
        askers_(askers),
        roster_(roster),
        state_(state),
        keeper_(keeper),
        lanes_(lanes),
        schedule_(schedule),
        overlaps_(overlaps) {}

  /// At the start of a root, and for another receiver.
  Result<> recall(Root& root);
  /// Adds to our greeting what we remember.
  void greet(wire::Hello& hello) const;
  /// What a greeting or a heartbeat says.
  void learn(const google::protobuf::RepeatedPtrField<wire::Destination>& told);
  void learn(const wire::Destination& told);
  /// Nothing is sent for the root until the receiver says that its directory is back, or right as it is.
  void hold(Root& root, const std::string& reason);
  void hold_root_of(AccountId id, const std::string& reason);
  /// What the destination holds of the root is not what the state says: nothing of it counts as copied, also after a
  /// restart, until it was compared.
  void compare_all_accounts(const Root& root);
  /// Each second: what was put back counts as whole again once all of it was compared.
  void check();
  /// A person said that the directory is right as it is.
  void release(const Root& root);

  /// A connection was made.
  void is_connected() { has_asked_ = false; }
  /// Something was acknowledged: where the receiver has just marked a directory, it is asked for the mark.
  void ask_for_new();

 private:
  bool is_put_back(const Root& root, const wire::Destination& told) const;
  void remember_earlier(const Root& root);
  void set_put_back(Root& root, bool is_so);

  asio::io_context& loop_;
  os::Threads& askers_;
  Roster& roster_;
  State& state_;
  Keeper& keeper_;
  Lanes& lanes_;
  Schedule& schedule_;
  Overlaps& overlaps_;
  std::map<std::string, std::string> earlier_;  ///< by root: ids that its marker had before, the newest first
  bool has_asked_ = false;                      ///< since the receiver was connected
};

/// No flush is satisfied by what was found before, nor by the turn that is under way.
void must_be_compared_first(Account& account);

}  // namespace maildirsync::agent
