#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/os/result.h"
#include "common/os/sync_set.h"
#include "daemon/apply/stage.h"

namespace maildirsync::daemon {

/// What became of an operation that succeeded.
struct Outcome {
  std::string renamed;   ///< the name that a message got instead of its own, which somebody else's has; "" mostly
  std::string detail;    ///< of the renaming, for people
  bool indexed = false;  ///< of a uidlist: a Dovecot has written an index of its folder here
  std::optional<std::int64_t> other_time;  ///< the date that the file has, which cannot have its own here
};

/// Does a staged operation: gives names, takes names away, sets attributes. Each kind finds out first whether it was
/// done before (docs/protocol.md, Operations), so that it can be repeated. Everything that must be durable for its
/// acknowledgement goes into `sync`; bodies must be on the disk already. The committer's thread alone calls this.
/// unexpected when the destination is not as the operation says; conflict when somebody else's file or folder is in
/// the way and is kept; not_empty when a folder to be removed holds something of others.
Result<Outcome> transition(StagedOperation& staged, os::SyncSet& sync);

}  // namespace maildirsync::daemon
