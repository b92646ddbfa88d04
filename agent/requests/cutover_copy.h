#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/accounts/lanes.h"
#include "agent/decisions/cutover_record.h"

namespace maildirsync::agent {

/// The receiver's copy of the cutover's record: told whatever is newer here, and the record here again after the state
/// was lost or an older one put back. Event loop only.
class CutoverCopy {
 public:
  CutoverCopy(asio::io_context& loop, CutoverRecord& record, Lanes& lanes)
      : loop_(loop), record_(record), lanes_(lanes) {}

  void greet(wire::Hello& hello) const;
  void heard(const wire::Hello& receiver);
  /// Higher than all that either side has.
  std::uint64_t next_revision() const;
  /// Tells the record as it is; `then` is called once the receiver has it on its disk, or after a moment: it may not be
  /// connected, be of an earlier release, or hang, and hears of it later.
  void tell(std::function<void()> then);

 private:
  void adopt(wire::Cutover copy);

  asio::io_context& loop_;
  CutoverRecord& record_;
  Lanes& lanes_;
  bool is_kept_there_ = false;  ///< the receiver keeps copies
  std::uint64_t theirs_ = 0;    ///< the revision that the receiver has
};

}  // namespace maildirsync::agent
