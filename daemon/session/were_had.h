#pragma once

#include "common/wire/protocol.pb.h"
#include "daemon/session/intake.h"

namespace maildirsync::daemon {

/// Which of the messages of a question the users of a drained root have had (List.had). Blocking, when the file is read
/// for the first time.
wire::Listing find_had(const ListRequest& request);

}  // namespace maildirsync::daemon
