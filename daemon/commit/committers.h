#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "daemon/commit/committer.h"

namespace maildirsync::daemon {

/// A committer for each directory in which roots land: a disk that does not answer holds up what lands on it, and
/// nothing else. Thread-safe.
class Committers {
 public:
  /// `most_waiting`: how many operations may wait for all of them together. `syncs` outlives them.
  explicit Committers(std::size_t most_waiting, os::Syncs& syncs = os::system_syncs());

  /// For what lands in the directory of that path; made when it is first asked for, and there until the end.
  Committer& of(const std::string& directory);

  /// Of all of them.
  const CommitTotals& totals() const { return totals_; }
  void stop(Committer::Waiting waiting);

 private:
  const std::size_t most_waiting_;
  os::Syncs& syncs_;
  CommitTotals totals_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Committer>> committers_;
};

}  // namespace maildirsync::daemon
