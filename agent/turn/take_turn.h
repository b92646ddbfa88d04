#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "agent/link/inquiry.h"
#include "agent/turn/sender.h"
#include "agent/turn/turn.h"
#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// Questions that a lane asks the receiver over its own connection; each waits for the answer, or for the connection's
/// end (cancelled).
class TurnInquiry {
 public:
  virtual ~TurnInquiry() = default;
  /// What the destination holds of an account, once its indexes are gone if the work wants that.
  virtual Result<AccountListing> list(const TurnOrder& order) = 0;
  /// The destination's owners for these of the source, in order; nothing for one that is not mapped.
  virtual Result<std::vector<sync::MappedOwner>> map_owners(const TurnOrder& order,
                                                            const std::vector<sync::Attributes>& owners) = 0;
};

/// Does an account's turn on a lane's thread: looks at what may have changed, plans, and has the operations sent. The
/// order of looking is what makes control files safe: watch, then snapshot control files, then list messages.
class TurnTaker {
 public:
  TurnTaker(State& state, Watcher& watcher, Sender& sender, TurnInquiry& inquiry, Totals& totals)
      : state_(state), watcher_(watcher), sender_(sender), inquiry_(inquiry), totals_(totals) {}

  /// Fills turn->report.
  void run(const std::shared_ptr<Turn>& turn);

 private:
  State& state_;
  Watcher& watcher_;
  Sender& sender_;
  TurnInquiry& inquiry_;
  Totals& totals_;
};

}  // namespace maildirsync::agent
