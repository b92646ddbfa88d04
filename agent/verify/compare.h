#pragma once

#include <vector>

#include "agent/verify/difference.h"
#include "agent/verify/pairs.h"
#include "common/sync/reconcile.h"

namespace maildirsync::agent {

/// Compares what the source holds of an account with what the destination holds; contents where both sides have a
/// digest, and a source's digest without the destination's means that the file could not be read there. `destination`
/// has that side's owners. Of a source that was not seen as a whole (!structure_whole), no folder is extra. Pure.
std::vector<Difference> compare(const sync::AccountManifest& source, const sync::AccountManifest& destination,
                                const sync::OwnerMapping& owner_at_destination, const AliasNames& aliases = {});

}  // namespace maildirsync::agent
