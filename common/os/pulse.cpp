#include "common/os/pulse.h"

#include <algorithm>

#include <pthread.h>

namespace maildirsync::os {

void Pulse::begin() {
  clockid_t clock{};
  if (::pthread_getcpuclockid(::pthread_self(), &clock) != 0) return;
  processor_time_ = clock;
  runs_ = true;
}

Pulse::Clock::duration Pulse::still_for(Clock::time_point now, bool rests) {
  struct timespec time {};
  // The thread may have ended, and its clock with it.
  const bool is_known = runs_ && !rests && ::clock_gettime(processor_time_, &time) == 0;
  const std::int64_t used = is_known ? time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec : -1;
  const bool stands = is_known && used == used_;
  still_ = stands ? still_ + std::min<Clock::duration>(now - last_, k_longest_step) : Clock::duration{};
  used_ = used;
  last_ = now;
  return still_;
}

}  // namespace maildirsync::os
