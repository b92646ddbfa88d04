#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/os/sync_set.h"
#include "common/sync/operation.h"
#include "daemon/apply/tree.h"
#include "daemon/decisions/fence.h"
#include "daemon/decisions/given.h"
#include "daemon/decisions/tenure.h"
#include "daemon/roots/served_directory.h"

namespace maildirsync::daemon {

/// Whose an account is. Asked by the committer of its directory, which does all operations there: nobody comes in
/// between.
class AccountClaim {
 public:
  virtual ~AccountClaim() = default;
  /// Before an operation is done: owned_by_another when the account is somebody else's by now.
  virtual Result<> check() = 0;
  /// After an operation was done: from now on the account is this agent's, or nobody's if it was removed. What makes
  /// that outlive a power cut is added to `sync`.
  virtual Result<> done(const sync::Operation& operation, os::SyncSet& sync) = 0;
  /// Whether that sync worked, if there was one. If it did not, what done() wrote may not be on the disk.
  virtual void synced(bool durable) = 0;
};

/// An account as one connection opened it. The connection's strand makes it; the committer alone uses `tree`.
struct Account {
  std::string root_name;
  std::string path;                           ///< below the root; never empty
  std::string key;                            ///< the same for every connection of the agent that opens this account
  std::uint64_t serial = 0;                   ///< the later the agent opened the account, the higher
  std::shared_ptr<const os::Directory> root;  ///< null with `root_error`
  std::optional<Error> root_error;
  std::shared_ptr<ServedDirectory> served;  ///< what `root` was opened of; may be null
  std::shared_ptr<Tree> tree;
  std::shared_ptr<const Fence> fence;    ///< what is decided of the root; null where nothing can be
  std::shared_ptr<Given> given;          ///< what the root has had while it is drained; null with `fence`
  decisions::Token decision;             ///< that the agent goes by
  std::shared_ptr<AccountClaim> claim;   ///< null where each account is anybody's
  std::shared_ptr<const Tenure> tenure;  ///< of the agent's key; null where whoever comes is obeyed
  std::uint64_t session = 0;             ///< the agent's process that opened it
};

/// The location that a problem with an operation names.
const sync::Location& subject(const sync::Operation& operation);

}  // namespace maildirsync::daemon
