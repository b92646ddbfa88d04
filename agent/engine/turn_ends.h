#pragma once

#include <functional>
#include <memory>

#include <asio/io_context.hpp>

#include "agent/accounts/holds.h"
#include "agent/destination/agreements.h"
#include "agent/destination/destinations.h"
#include "agent/destination/rooms.h"
#include "agent/destination/unclean_ends.h"
#include "agent/engine/walks.h"

namespace maildirsync::agent {

/// Ends turns once all of them is answered: into the state, into the account's problems, and into its next turn. Event
/// loop only, but for what the keeper does.
class TurnEnds {
 public:
  struct Given {
    asio::io_context& loop;
    Roster& roster;
    Keeper& keeper;
    Holds& holds;
    Walks& walks;
    Rooms& rooms;
    Destinations& destinations;
    Agreements& agreements;
    UncleanEnds& unclean_ends;
    Schedule& schedule;
    std::function<void()> changed;  ///< after each turn
  };
  explicit TurnEnds(Given given) : given_(std::move(given)) {}

  /// The lane has sent all of a turn.
  void lane_done(const std::shared_ptr<Turn>& turn);
  /// Some of its operations were answered, or are lost.
  void answered(const std::shared_ptr<Turn>& turn);
  /// What the destination refused as a whole may be gone from the source, so that nobody asks it again. If the root
  /// cannot be used still, the next change says so.
  void forget_root_trouble(std::size_t root);

 private:
  void finish(const std::shared_ptr<Turn>& turn);
  void finished(const std::shared_ptr<Turn>& turn, const Result<State::AccountRow>& row);
  void note_users(const Account& account, const TurnReport& report);
  void take_row(Account& account, const State::AccountRow& row);
  void is_removed(Account& account);
  void take_report(Account& account, const Turn& turn);
  void set_extra(Account& account, std::size_t extra);
  void settle_problems(Account& account, const Turn& turn);
  void settle_root_trouble(Root& root, const Turn& turn);
  void plan_next(Account& account, const Turn& turn);
  void hold(Account& account, const TurnReport& report);

  Given given_;
};

/// So many files and directories of a root have ACLs, which do not come along. Kept over restarts: what is pruned is
/// not asked for its ACL again.
void note_acls(Root& root, std::uint64_t acls, Keeper& keeper);

}  // namespace maildirsync::agent
