#pragma once

#include <vector>

#include "agent/link/inquiry.h"
#include "agent/look/look.h"
#include "agent/turn/sender.h"
#include "agent/turn/turn.h"
#include "common/sync/drain.h"

namespace maildirsync::agent {

/// What a comparison has the plan do, beside what follows from `before` and `after`.
struct Compared {
  sync::MissingFolders missing;              ///< of a drained root: folders that the destination has not
  std::vector<sync::Operation> names_back;   ///< what gives messages their own names back, before all else
  std::vector<sync::Operation> doubles;      ///< what removes copies under other names, after all else
  std::vector<sync::Operation> extra_aside;  ///< what puts aside files of others, where that was asked for
  std::vector<sync::Location> extra;         ///< files and folders of others
  std::vector<sync::Location> left_over;     ///< what the mirror itself left behind: it goes to the trash
};

/// Asks what the destination holds of the turn's account and puts that in the place of what was believed: in
/// `looked.before`, in `aliases` and in the state. What it finds is in the turn's report; where that ends the turn (it
/// must be held, or more may go at the destination), nothing may be sent. On a lane's thread.
Result<> compare_with_destination(Turn& turn, State& state, TurnInquiry& inquiry, Look& looked, Aliases& aliases,
                                  Compared& compared);

}  // namespace maildirsync::agent
