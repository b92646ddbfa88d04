#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "daemon/commit/committer.h"

namespace maildirsync::daemon {

/// Puts the answers of several committers into the order of a connection's operations, which is that of its
/// acknowledgements. Thread-safe.
class AnswersInOrder {
 public:
  /// An operation goes to its committer.
  void expect(const StagedOperation& staged);
  /// Operations are done; gives those for which no earlier one is missing any more.
  std::vector<Committed> take(std::vector<Committed> done);

  /// The directories where those land that are not done.
  std::set<std::shared_ptr<ServedDirectory>> missing() const;

 private:
  struct Expected {
    std::uint64_t sequence = 0;
    std::shared_ptr<ServedDirectory> lands_in;
    std::optional<Committed> done;
  };

  mutable std::mutex mutex_;
  std::deque<Expected> expected_;  ///< by rising sequence
};

}  // namespace maildirsync::daemon
