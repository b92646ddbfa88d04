#pragma once

#include <cstdint>
#include <deque>

#include "agent/turn/work.h"
#include "common/sync/brake.h"

namespace maildirsync::agent {

/// How many messages were removed within the last minute, and within the last hour. It takes some hundred entries at
/// most, and none where nothing was removed. Not thread-safe.
class RecentLosses {
 public:
  void add(Time now, std::uint64_t messages);
  /// Within k_brake_window_seconds before `now`.
  std::uint64_t in_window(Time now) const;
  /// Within k_slow_window_seconds before `now`.
  std::uint64_t in_hour(Time now);

 private:
  struct Loss {
    Time begun{}, ended{};  ///< of several within some seconds, the first and the last
    std::uint64_t messages = 0;
  };
  std::deque<Loss> losses_;
};

}  // namespace maildirsync::agent
