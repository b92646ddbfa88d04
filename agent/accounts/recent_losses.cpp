#include "agent/accounts/recent_losses.h"

#include <chrono>

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_together = 10s;
constexpr auto k_window = std::chrono::seconds(sync::k_brake_window_seconds);
constexpr auto k_hour = std::chrono::seconds(sync::k_slow_window_seconds);

}  // namespace

void RecentLosses::add(Time now, std::uint64_t messages) {
  if (messages == 0) return;
  (void)in_hour(now);
  if (losses_.empty() || now - losses_.back().begun > k_together) losses_.push_back({.begun = now});
  losses_.back().ended = now;
  losses_.back().messages += messages;
}

std::uint64_t RecentLosses::in_window(Time now) const {
  std::uint64_t count = 0;
  for (auto loss = losses_.rbegin(); loss != losses_.rend() && now - loss->ended <= k_window; ++loss)
    count += loss->messages;
  return count;
}

std::uint64_t RecentLosses::in_hour(Time now) {
  while (!losses_.empty() && now - losses_.front().ended > k_hour)
    losses_.pop_front();
  std::uint64_t count = 0;
  for (const auto& loss : losses_)
    count += loss.messages;
  return count;
}

}  // namespace maildirsync::agent
