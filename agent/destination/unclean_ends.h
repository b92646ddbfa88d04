#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/accounts/keeper.h"
#include "agent/accounts/roster.h"
#include "agent/accounts/schedule.h"

namespace maildirsync::agent {

/// The receiver's unclean ends: which accounts are looked at again because what was acknowledged of them may not have
/// survived, and until when. Event loop only.
class UncleanEnds {
 public:
  UncleanEnds(Roster& roster, Keeper& keeper, Schedule& schedule)
      : roster_(roster), keeper_(keeper), schedule_(schedule) {}

  /// At the start, and for each root; both block.
  void recall(State& state);
  void recall_root(State& state, const std::string& root);
  /// Another receiver counts its own.
  void forget();
  /// A receiver's greeting told of one. After a power cut there, what was acknowledged shortly before it is compared,
  /// by content where it is that young. The end is noted as dealt with when the last of these accounts is compared.
  void look_again(const wire::UncleanEnd& end);
  /// An account was compared, or is no longer known.
  void check();
  /// Something of a root was acknowledged now. How far back a root is in doubt is remembered over restarts, to the
  /// minute.
  void note_acknowledged(const std::string& root);
  Time last_acknowledged() const { return last_acknowledged_; }

 private:
  struct RootHeard {
    Time before{};              ///< the last acknowledgement that earlier runs have heard
    std::optional<Time> noted;  ///< in this run, the last that is remembered
  };
  void remember();

  Roster& roster_;
  Keeper& keeper_;
  Schedule& schedule_;
  std::uint64_t number_ = 0;  ///< the last one that accounts are or were compared for
  bool looks_again_ = false;
  Time last_acknowledged_{};                ///< anything, in this run
  std::map<std::string, RootHeard> roots_;  ///< by name
};

}  // namespace maildirsync::agent
