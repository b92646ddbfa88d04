#include "agent/turn/turn.h"

#include <atomic>
#include <utility>

namespace maildirsync::agent {

Problem conflict_problem(const std::string& folder, const std::string& base, const std::string& alias) {
  return {ErrorCode::conflict, sync::path_of({folder, sync::Area::cur, base}),
          "another file has the name of the message " + base + " at the destination, and was kept: the message is " +
              "there as " + alias +
              "; once that file is moved away or renamed there, the next flush gives the message " +
              "its own name back",
          true};
}

std::uint64_t next_turn_number() {
  static std::atomic<std::uint64_t> number = 0;
  return ++number;
}

void hold(Turn& turn, Held held) {
  turn.report.end = TurnEnd::held;
  turn.report.held = std::move(held);
  turn.report.again.merge(turn.order.work);
  turn.report.stamps.clear();
}

}  // namespace maildirsync::agent
