#include "daemon/session/answers_in_order.h"

#include <algorithm>

namespace maildirsync::daemon {

void AnswersInOrder::expect(const StagedOperation& staged) {
  const std::lock_guard lock(mutex_);
  expected_.push_back({staged.sequence, staged.account->served, std::nullopt});
}

std::vector<Committed> AnswersInOrder::take(std::vector<Committed> done) {
  const std::lock_guard lock(mutex_);
  for (auto& one : done) {
    const auto found =
        std::lower_bound(expected_.begin(), expected_.end(), one.sequence,
                         [](const Expected& expected, std::uint64_t sequence) { return expected.sequence < sequence; });
    if (found != expected_.end() && found->sequence == one.sequence) found->done = std::move(one);
  }
  std::vector<Committed> ready;
  while (!expected_.empty() && expected_.front().done) {
    ready.push_back(std::move(*expected_.front().done));
    expected_.pop_front();
  }
  return ready;
}

std::set<std::shared_ptr<ServedDirectory>> AnswersInOrder::missing() const {
  const std::lock_guard lock(mutex_);
  std::set<std::shared_ptr<ServedDirectory>> directories;
  for (const auto& expected : expected_) {
    if (!expected.done && expected.lands_in) directories.insert(expected.lands_in);
  }
  return directories;
}

}  // namespace maildirsync::daemon
