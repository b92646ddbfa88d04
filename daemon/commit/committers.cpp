#include "daemon/commit/committers.h"

#include <algorithm>

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_least_waiting = 16;

}  // namespace

Committers::Committers(std::size_t most_waiting, os::Syncs& syncs) : most_waiting_(most_waiting), syncs_(syncs) {}

Committer& Committers::of(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  auto& committer = committers_[directory];
  if (!committer) {
    committer = std::make_unique<Committer>(most_waiting_, syncs_, &totals_);
    const auto share = std::max(most_waiting_ / committers_.size(), k_least_waiting);
    for (const auto& [path, one] : committers_)
      one->take_most(share);
  }
  return *committer;
}

void Committers::stop(Committer::Waiting waiting) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, committer] : committers_)
    committer->close(waiting);
  for (const auto& [path, committer] : committers_)
    committer->stop(waiting);
}

}  // namespace maildirsync::daemon
