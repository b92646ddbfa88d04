#pragma once

#include "common/decisions/decision.h"
#include "common/os/result.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::wire {

void to_wire(const decisions::Chain& chain, RootDecisions& out);
/// Checks all of it: numbers, words, ids, stamps, and how many there are (protocol).
Result<decisions::Chain> from_wire(const RootDecisions& decisions);

}  // namespace maildirsync::wire
