#include "agent/accounts/recent_losses.h"

#include <chrono>

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using namespace std::chrono_literals;

TEST(RecentLosses, are_counted_within_a_minute_and_within_an_hour) {
  const Time start{1h};
  RecentLosses losses;
  EXPECT_EQ(losses.in_window(start), 0u);
  losses.add(start, 3);
  losses.add(start + 5s, 4);
  losses.add(start + 50s, 5);
  EXPECT_EQ(losses.in_window(start + 51s), 12u);
  EXPECT_EQ(losses.in_window(start + 100s), 5u);
  EXPECT_EQ(losses.in_hour(start + 100s), 12u);
  EXPECT_EQ(losses.in_window(start + 1h), 0u);
  EXPECT_EQ(losses.in_hour(start + 1h + 30s), 5u);
  EXPECT_EQ(losses.in_hour(start + 2h), 0u);
}

TEST(RecentLosses, that_go_on_and_on_are_counted_like_others) {
  const Time start{1h};
  RecentLosses losses;
  for (int second = 0; second <= 7200; ++second)
    losses.add(start + std::chrono::seconds(second), 1);
  const Time now = start + 2h;
  EXPECT_NEAR(static_cast<double>(losses.in_window(now)), 60, 11);
  EXPECT_NEAR(static_cast<double>(losses.in_hour(now)), 3600, 11);
}

}  // namespace
}  // namespace maildirsync::agent
