#pragma once

#include <vector>

#include "agent/engine/turn_ends.h"

namespace maildirsync::agent {

/// What the receiver answers to operations: into the state where it is durable, into its turn where it is refused.
/// Event loop only.
class Acknowledgements {
 public:
  struct Given {
    Roster& roster;
    Keeper& keeper;
    Rooms& rooms;
    Destinations& destinations;
    Agreements& agreements;
    UncleanEnds& unclean_ends;
    TurnEnds& ends;
    Totals& totals;
  };
  explicit Acknowledgements(Given given) : given_(given) {}

  void acknowledged(std::vector<Sent> done, const wire::Ack& ack);
  /// The connection broke while these were on their way.
  void lost(const std::vector<Sent>& sent);

 private:
  void refused(Turn& turn, const sync::Operation& operation, const wire::Ack::Failed& failed);
  void note_refusal(Turn& turn, const sync::Location& at, ErrorCode code, const std::string& detail);
  /// False when it is not believed.
  bool is_beside(Turn& turn, const sync::Operation& operation, const std::string& name);

  Given given_;
};

}  // namespace maildirsync::agent
