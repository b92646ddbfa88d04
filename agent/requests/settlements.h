#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/engine/parts.h"

namespace maildirsync::agent {

/// Accounts that somebody waits for: until all that each held at some moment is durable. Event loop only.
class Settlements {
 public:
  explicit Settlements(Parts& parts) : parts_(parts) {}

  /// Has the account looked at with that work; `done` gets "" once it is settled, or why it is not.
  void settle(AccountId id, const Work& work, std::function<void(std::string)> done);
  /// Something changed.
  void advance();

 private:
  struct Waiting {
    AccountId account = 0;
    std::uint64_t generation = 0;
    Time deadline;
    std::function<void(std::string)> done;
  };
  std::optional<std::string> settled(const Waiting& waiting) const;

  Parts& parts_;
  std::vector<Waiting> waiting_;
};

}  // namespace maildirsync::agent
