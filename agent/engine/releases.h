#pragma once

#include "agent/accounts/holds.h"
#include "agent/destination/agreements.h"
#include "agent/destination/destinations.h"
#include "agent/engine/walks.h"

namespace maildirsync::agent {

/// Lets go on what is held: by a person's word, or after the time that removed_accounts says. Event loop only.
class Releases {
 public:
  Releases(Roster& roster, Holds& holds, Walks& walks, Agreements& agreements, Destinations& destinations,
           Schedule& schedule)
      : roster_(roster),
        holds_(holds),
        walks_(walks),
        agreements_(agreements),
        destinations_(destinations),
        schedule_(schedule) {}

  void let_go(Account& account);
  void let_go(Root& root);
  /// Each second: accounts that are gone and may go by themselves by now, unless so many vanished with them that these
  /// cannot be users who left.
  void let_removed_accounts_go();

 private:
  Roster& roster_;
  Holds& holds_;
  Walks& walks_;
  Agreements& agreements_;
  Destinations& destinations_;
  Schedule& schedule_;
};

}  // namespace maildirsync::agent
