#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/link/inquiry.h"
#include "agent/state/state.h"
#include "agent/verify/compare.h"
#include "agent/verify/drained.h"
#include "agent/verify/source.h"
#include "common/sync/lift_times.h"

namespace maildirsync::agent {

/// The account that is compared.
struct Subject {
  AccountId id = 0;
  std::string root_name;
  std::string path;  ///< below the root
  std::string name;
  std::shared_ptr<const os::Directory> root;
  std::optional<std::int64_t> drained_since = std::nullopt;  ///< ns since the epoch; nothing: it is mirrored
};

/// The other side, and the mirror between both, as a comparison asks them. Each call may wait; called by several
/// threads. A failure with `cancelled` means that the connection broke or that the comparison was given up.
class Destination : public Inquiry {
 public:
  /// A Dovecot has written indexes of these folders there.
  virtual void is_indexed(const Subject& subject, std::vector<std::string> folders) = 0;
  virtual Result<AliasNames> aliases(const Subject& subject) = 0;
  /// What was acknowledged of the account.
  virtual Result<sync::AccountManifest> given(const Subject& subject) = 0;
  /// Returns when all that the source held at the call is durable at the destination: "", or why that cannot be waited
  /// for.
  virtual std::string settle(const Subject& subject) = 0;
};

/// What could not be compared, or only with a doubt that a person should know of.
struct LeftOut {
  std::string path;  ///< below the account; "" for all of it
  std::string detail;
  ErrorCode code = ErrorCode::unexpected;  ///< that of the source's problem, if it is one
};

struct Verdict {
  std::vector<Difference> differences;
  std::vector<LeftOut> left_out;
  std::vector<Straggler> stragglers;                             ///< of a drained root
  std::uint64_t folders = 0, messages = 0, bytes = 0, acls = 0;  ///< at the source
};

/// Compares one account. Both sides are listed at once. What differs is waited for and looked at again, twice, and only
/// what was there each time, untouched, is a difference: the mail may change all the while. Memory is proportional to
/// the account. Of a drained root only what a drain promises is compared (drained.h).
Result<Verdict> verify_account(const Subject& subject, Contents contents, Destination& destination,
                               const std::atomic<bool>& stop);

}  // namespace maildirsync::agent
