#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace maildirsync::os {

/// Tells of a thread that hangs in a call to a file system (a mount of the network whose server is gone): it runs, and
/// uses no processor time. One thread is watched, and calls begin() and end(); another one watches.
class Pulse {
 public:
  using Clock = std::chrono::steady_clock;

  /// Thread that is watched: from now on it is not to stand still …
  void begin();
  /// … and now it may.
  void end() { runs_ = false; }

  /// Watcher, about once a second: for how long the thread has used no processor time. With `rests` it waits for
  /// something that may take its time, and 0 is given. A moment in which the watcher itself did not run does not count.
  Clock::duration still_for(Clock::time_point now, bool rests = false);

 private:
  static constexpr auto k_longest_step = std::chrono::seconds(2);

  std::atomic<bool> runs_ = false;
  std::atomic<clockid_t> processor_time_{};

  // The watcher's:
  std::int64_t used_ = -1;  ///< ns, at the last call
  Clock::time_point last_{};
  Clock::duration still_{};
};

}  // namespace maildirsync::os
