#pragma once

#include <memory>
#include <set>
#include <string>

#include "agent/turn/turn.h"

namespace maildirsync::agent {

/// What of a turn's operations is not sent, and with it what must not go before it: no link leads to a message that is
/// not there, and what follows messages waits for them. Owned by a lane.
class KeptBack {
 public:
  void begin(const std::shared_ptr<Turn>& turn);

  /// Makes a message of its own of a link to one that is not sent.
  void send_alone_what_is_no_link(sync::Operation& operation);
  /// Notes in the turn's report that it does, and for what: the next look, or room at the destination.
  bool waits(const sync::Operation& operation);

  /// It was renamed, changed or removed since it was looked at: the next look finds it.
  void moved_away(const std::string& path) { moved_away_.insert(path); }
  /// A rule keeps it out.
  void unsent(const std::string& path) { unsent_.insert(path); }

 private:
  bool waits_for_next_look(const sync::Operation& operation);
  bool waits_for_room(const sync::Operation& operation);

  std::shared_ptr<Turn> turn_;
  std::set<std::string> unsent_;      ///< paths of what it was to send, and a rule or the room kept out
  std::set<std::string> moved_away_;  ///< paths of what was not as it had been looked at
  bool no_room_ = false;              ///< messages wait for room, and what follows them with them
};

}  // namespace maildirsync::agent
