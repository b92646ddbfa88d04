#pragma once

#include "common/wire/protocol.pb.h"
#include "daemon/session/intake.h"

namespace maildirsync::daemon {

/// Which of the accounts of a question do not look as the agent believes (List.believed). Blocking: a few calls of
/// stat(2) for each folder.
wire::Listing compare_looks(const ListRequest& request);

}  // namespace maildirsync::daemon
