#pragma once

#include <vector>

#include "agent/state/state.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// More of them than this are not remembered, the oldest first: a folder is away for hours, not for a mailbox's life.
inline constexpr std::size_t k_most_departed = 2000;

/// Messages that were deleted at the source while their folder was away at the destination: its volume not mounted, its
/// directory moved. The comparison that found it away knows nothing of them any more, and the folder, once it is back,
/// holds them still; then they must be known as ours, and not as mail of others. `known` is the state before the
/// comparison, `listed` what the destination holds, `after` the source; `earlier` those remembered until now. Gives
/// those to remember. Pure.
std::vector<sync::Intent> departed(const sync::AccountManifest& known, const sync::AccountManifest& listed,
                                   const sync::AccountManifest& after, std::vector<sync::Intent> earlier);

}  // namespace maildirsync::agent
