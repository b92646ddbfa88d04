#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/turn/mounts_below.h"
#include "agent/turn/sender.h"
#include "agent/turn/turn.h"
#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// Both sides of a plan, and what was found on the way.
struct Look {
  sync::AccountManifest before;  ///< what the state says was acknowledged
  sync::AccountManifest after;   ///< what the source holds
  std::set<std::string> unseen;  ///< folders that the walk missed: in `after` they are as in `before`
  Snapshots snapshots{location_less};
  std::optional<MountsBelow> mounts;  ///< of a whole walk
};

/// Looks at an account as far as its work asks: a whole walk pruned by stamps, or only some names. Reads the source
/// and the state, writes neither; problems, stamps and what must be looked at again go into the report. For a
/// comparison, every folder is listed.
Result<Look> look(const TurnOrder& order, State& state, Watcher& watcher, Totals& totals, TurnReport& report);

}  // namespace maildirsync::agent
