#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/verify/compare.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// A message that came to the old server since its users moved to the new one.
struct Straggler {
  enum class Where : std::uint8_t {
    there,      ///< at the destination, durably
    was_there,  ///< given, durably; its user has moved, renamed or removed it since
    waits,      ///< not given yet
  };
  std::string folder;
  sync::Entry entry;
  std::int64_t came = 0;  ///< ns since the epoch
  Where where = Where::waits;
};

std::string_view to_string(Straggler::Where where);

struct DrainVerdict {
  std::vector<Difference> differences;  ///< messages that a drain owes and has not given
  std::vector<Straggler> stragglers;    ///< by the time when they came
};

/// What a drained root has promised: everything that came to the source since is at the destination, or was there.
/// What its users do there is theirs, and no difference. `given`: what was acknowledged. `since`: when they moved, ns
/// since the epoch. Pure.
DrainVerdict compare_drained(const sync::AccountManifest& source, const sync::AccountManifest& given,
                             const sync::AccountManifest& destination, std::int64_t since);

}  // namespace maildirsync::agent
