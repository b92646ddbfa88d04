#pragma once

#include <vector>

#include "common/wire/protocol.pb.h"
#include "daemon/commit/committer.h"

namespace maildirsync::daemon {

/// What an agent is told of operations that are done, in their order; more than one frame where there is much to say.
/// Pure.
std::vector<wire::Header> acks_of(const std::vector<Committed>& done);

}  // namespace maildirsync::daemon
