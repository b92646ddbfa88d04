#include "agent/accounts/doubt.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using namespace std::chrono_literals;

const Time k_started = Time{} + 100h;

TEST(Doubt, is_of_each_account_when_this_run_has_heard_nothing) {
  EXPECT_TRUE(is_in_doubt(k_started, Time{}, Time{}));
}

TEST(Doubt, is_of_each_account_while_an_earlier_run_may_have_heard_of_it) {
  EXPECT_TRUE(is_in_doubt(k_started, k_started + 9min, Time{}));
}

TEST(Doubt, is_of_the_last_minutes_when_this_run_has_heard_all_of_them) {
  const Time last = k_started + 1h;
  EXPECT_TRUE(is_in_doubt(k_started, last, last));
  EXPECT_TRUE(is_in_doubt(k_started, last, last - k_look_back));
  EXPECT_FALSE(is_in_doubt(k_started, last, last - k_look_back - 1s));
  EXPECT_FALSE(is_in_doubt(k_started, last, Time{}));
}

}  // namespace
}  // namespace maildirsync::agent
