#include "common/os/pulse.h"

#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace maildirsync::os {
namespace {

using namespace std::chrono_literals;

/// A thread that waits in read(2) until it is let go.
class Waiting {
 public:
  Waiting() {
    EXPECT_EQ(::pipe(ends_), 0);
    thread_ = std::thread([this] {
      pulse.begin();
      char byte = 0;
      begun_ = true;
      EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
      pulse.end();
    });
    while (!begun_)
      std::this_thread::yield();
    // Until it is in the call: two looks in a row see the same.
    for (auto now = Pulse::Clock::now(); pulse.still_for(now) == 0s; now += 1ns)
      std::this_thread::sleep_for(1ms);
    pulse.still_for({}, true);
  }
  ~Waiting() {
    let_go();
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void let_go() {
    if (!thread_.joinable()) return;
    EXPECT_EQ(::write(ends_[1], "x", 1), 1);
    thread_.join();
  }

  Pulse pulse;

 private:
  int ends_[2] = {-1, -1};
  std::atomic<bool> begun_ = false;
  std::thread thread_;
};

TEST(Pulse, counts_how_long_a_thread_stands_still) {
  Waiting waiting;
  const auto start = Pulse::Clock::now();
  EXPECT_EQ(waiting.pulse.still_for(start), 0s);
  EXPECT_EQ(waiting.pulse.still_for(start + 1s), 1s);
  EXPECT_EQ(waiting.pulse.still_for(start + 2s), 2s);
}

TEST(Pulse, counts_no_time_in_which_the_watcher_did_not_run) {
  Waiting waiting;
  const auto start = Pulse::Clock::now();
  waiting.pulse.still_for(start);
  EXPECT_EQ(waiting.pulse.still_for(start + 1h), 2s);
}

TEST(Pulse, begins_anew_after_a_rest) {
  Waiting waiting;
  const auto start = Pulse::Clock::now();
  waiting.pulse.still_for(start);
  waiting.pulse.still_for(start + 1s);
  EXPECT_EQ(waiting.pulse.still_for(start + 2s, true), 0s);
  EXPECT_EQ(waiting.pulse.still_for(start + 3s), 0s);
  EXPECT_EQ(waiting.pulse.still_for(start + 4s), 1s);
}

TEST(Pulse, counts_nothing_of_a_thread_that_has_ended) {
  Waiting waiting;
  const auto start = Pulse::Clock::now();
  waiting.pulse.still_for(start);
  waiting.let_go();
  EXPECT_EQ(waiting.pulse.still_for(start + 1s), 0s);
  EXPECT_EQ(waiting.pulse.still_for(start + 2s), 0s);
}

TEST(Pulse, counts_nothing_of_a_thread_that_works) {
  Pulse pulse;
  pulse.begin();
  const auto start = Pulse::Clock::now();
  pulse.still_for(start);
  volatile unsigned work = 0;
  for (unsigned i = 0; i < 100'000; ++i)
    work = work + i;
  EXPECT_EQ(pulse.still_for(start + 1s), 0s);
}

}  // namespace
}  // namespace maildirsync::os
