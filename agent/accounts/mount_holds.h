#pragma once

#include <vector>

#include "agent/accounts/holds.h"
#include "agent/state/state.h"

namespace maildirsync::agent {

/// File systems that are mounted between roots and their accounts: which were where, and accounts that are held because
/// one is not there. Event loop only.
class MountHolds {
 public:
  MountHolds(Roster& roster, State& state, Keeper& keeper, Holds& holds)
      : roster_(roster), state_(state), keeper_(keeper), holds_(holds) {}

  /// At the start of a root.
  Result<> recall(Root& root) const;
  /// After a walk that holds nothing back. `file_system` is the root's, "" when it is not known; `inode` that of its
  /// directory.
  void remember(Root& root, const MountsAbove& now, const std::string& file_system, std::uint64_t inode);
  /// Whether what was mounted above an account is not mounted there any more, so that nothing of it can be believed.
  bool hold(Account& account, const MountsAbove& known, const MountsAbove& now);
  /// Roots with accounts that wait for a mount.
  std::vector<std::size_t> roots_to_walk() const;

 private:
  Roster& roster_;
  State& state_;
  Keeper& keeper_;
  Holds& holds_;
};

}  // namespace maildirsync::agent
