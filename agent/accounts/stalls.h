#pragma once

#include <cstddef>
#include <vector>

#include "agent/accounts/lanes.h"
#include "agent/accounts/roster.h"
#include "agent/accounts/schedule.h"

namespace maildirsync::agent {

/// Turns and walks that hang: the file system where an account lies, or what is between it and its root, does not
/// answer, and a call to it may never return. Such a turn keeps its lane; other lanes take its place (Engine), and when
/// several accounts of a root hang, the rest of the root waits until one of them goes on. Event loop only.
class Stalls {
 public:
  Stalls(Roster& roster, Lanes& lanes, Schedule& schedule) : roster_(roster), lanes_(lanes), schedule_(schedule) {}

  /// Each second.
  void check(Time now);

 private:
  void note_turns(Time now);
  void note_walk(Root& root, Time now);

  Roster& roster_;
  Lanes& lanes_;
  Schedule& schedule_;
  std::vector<AccountId> hanging_;  ///< as of the last look
};

/// What a person is told of an account whose turn hangs; of a root that is not walked to its end; of one whose rest
/// waits.
std::string hang_detail(const Root& root, const Account& account);
std::string walk_hang_detail(const Root& root);
std::string silence_detail(const Root& root);

}  // namespace maildirsync::agent
