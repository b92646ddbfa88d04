#pragma once

#include <cstdint>
#include <unordered_set>

#include "common/sync/operation.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::agent {

/// Users and groups whose names the receiver was told, on one connection: each once. Owned by a lane.
class AnnouncedOwners {
 public:
  /// A new connection: it was told none.
  void clear();

  /// Adds to `names` what was not told yet.
  void add(const sync::Attributes& owner, wire::Names& names);
  void add(const sync::Operation& operation, wire::Names& names);

 private:
  std::unordered_set<std::uint32_t> users_, groups_;
};

}  // namespace maildirsync::agent
