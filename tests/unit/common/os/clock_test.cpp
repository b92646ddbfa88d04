#include "common/os/clock.h"

#include <limits>

#include <gtest/gtest.h>

namespace maildirsync::os {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::int64_t k_now = 1'800'000'000 * k_second;

TEST(ClockOffset, is_counted_from_the_middle_of_the_way) {
  EXPECT_DOUBLE_EQ(clock_offset(k_now + k_second, k_now, k_now + 2 * k_second).value(), 0);
  EXPECT_DOUBLE_EQ(clock_offset(k_now + 3600 * k_second, k_now, k_now).value(), 3600);
  EXPECT_DOUBLE_EQ(clock_offset(k_now - 3600 * k_second, k_now, k_now).value(), -3600);
}

TEST(ClockOffset, a_peer_that_says_none_or_nonsense_has_none) {
  for (const std::int64_t time : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
                                  std::numeric_limits<std::int64_t>::max()})
    EXPECT_FALSE(clock_offset(time, k_now, k_now).has_value());
}

}  // namespace
}  // namespace maildirsync::os
