#pragma once

#include "common/wire/protocol.pb.h"
#include "daemon/session/peers.h"

namespace maildirsync::daemon {

/// What an agent is told of the directory in which one of its roots lands. Does not block.
wire::Destination destination_of(const ServedRoot& root);

/// An agent greets: each of its roots' directories is looked at, by what the agent last heard of it too. Blocking.
void look_at_destinations(const Peer& peer, const wire::Hello& agent, const ServedDirectories& directories);

}  // namespace maildirsync::daemon
