#pragma once

#include <functional>
#include <vector>

#include <asio/io_context.hpp>

#include "agent/accounts/keeper.h"
#include "agent/accounts/lanes.h"
#include "agent/accounts/roster.h"
#include "agent/accounts/schedule.h"
#include "agent/scan/discovery.h"
#include "common/os/threads.h"

namespace maildirsync::agent {

/// Has walks look for each root's own destination at its source, before anything of the root is sent, and holds those
/// where it is (Overlap). Event loop only, but for the question itself.
class Overlaps {
 public:
  struct Given {
    asio::io_context& loop;
    os::Threads& askers;
    Roster& roster;
    Keeper& keeper;
    Lanes& lanes;
    Schedule& schedule;
    std::function<void(std::size_t root)> walk;           ///< has it walked anew
    std::function<void(const wire::Destination&)> learn;  ///< what the receiver answered
  };
  explicit Overlaps(Given given) : given_(std::move(given)) {}

  /// At the start of a root: where an earlier run found its destination below it, deeper than each walk looks. Blocks.
  static Result<> recall(State& state, Root& root);

  /// A connection was made: a receiver that tells nothing of a root's directory has no marker to look for.
  void is_connected(const wire::Hello& receiver);
  /// What the receiver says of a root's directory was learnt.
  void told(Root& root, const wire::Destination& destination);

  /// What a walk is given when it begins, and what it must be told when it ends.
  struct Look {
    std::uint64_t number = 0;  ///< Overlap::wanted_looks, as it was then
    std::uint64_t inode = 0;
    std::int64_t changed = 0;
    std::vector<MetMarker> known;  ///< is looked at whatever the walk passes
  };
  Look begin_look(const Root& root) const;
  /// Where the markers must be looked for.
  Search search_of(const Root& root, Search least) const;
  void walked(std::size_t root, const Look& look, const Discovery& discovery);

  /// Each second.
  void check();

 private:
  void want_look(std::size_t root);
  void remember(const Root& root) const;
  void ask_for_marker(std::size_t root);
  /// Whether a root that was held goes on.
  bool judge();

  const Given given_;
};

}  // namespace maildirsync::agent
