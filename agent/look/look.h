#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/look/mounts_below.h"
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
  std::optional<MountsBelow> mounts;     ///< of a whole walk
  bool whole = false;                    ///< all folders were walked; else only what was named was looked at
  Work again;                            ///< changed while it was looked at, and must be looked at again
  Work later;                            ///< what TurnOrder::later told of, and is looked at
  std::chrono::nanoseconds rests_in{0};  ///< when the youngest stamp of a folder in `again` is old enough
  std::vector<Problem> problems;
  std::map<std::string, Stamps> stamps;  ///< of the folders that were scanned whole
  std::size_t acls = 0;                  ///< files and folders, new to the mirror, whose ACLs do not come along
  std::size_t unwatched = 0;             ///< folders that could not be watched
};

/// Looks at an account as far as its work asks: a whole walk pruned by stamps, or only some names. Reads the source
/// and the state, writes neither. For a comparison, every folder is listed. After an error, `look` holds what was found
/// until then.
Result<> look(const TurnOrder& order, State& state, Watcher& watcher, Totals& totals, Look& look);

}  // namespace maildirsync::agent
