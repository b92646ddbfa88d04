#pragma once

#include <functional>

#include "agent/accounts/lanes.h"
#include "agent/accounts/schedule.h"
#include "agent/decisions/decisions.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::agent {

/// Whether the agent is paused, by the newest word of both sides. Event loop only.
class AgreedPause {
 public:
  AgreedPause(Decisions& decisions, Lanes& lanes, Schedule& schedule)
      : decisions_(decisions), lanes_(lanes), schedule_(schedule) {}

  /// What the file says, or `earlier`, which an earlier release kept in the state. At the start; blocks.
  void begin(const std::optional<std::string>& earlier);
  /// What the receiver's greeting says.
  void heard(const wire::RootDecisions& said);
  /// Kept before `then` is called, with the error if it could not be.
  void set(bool paused, std::function<void(const Result<>&)> then);

 private:
  void tell();

  Decisions& decisions_;
  Lanes& lanes_;
  Schedule& schedule_;
};

}  // namespace maildirsync::agent
