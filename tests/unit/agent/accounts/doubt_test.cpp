#include "agent/accounts/doubt.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using namespace std::chrono_literals;

const Time k_last = Time{} + 100h;

TEST(Doubt, is_of_what_was_acknowledged_in_the_last_minutes) {
  EXPECT_TRUE(is_in_doubt(k_last, k_last, Time{}));
  EXPECT_TRUE(is_in_doubt(k_last, k_last - k_look_back, Time{}));
  EXPECT_FALSE(is_in_doubt(k_last, k_last - k_look_back - 1s, Time{}));
}

TEST(Doubt, is_of_each_account_of_a_root_of_which_an_earlier_run_heard_then) {
  EXPECT_TRUE(is_in_doubt(k_last, Time{}, k_last - 9min));
  EXPECT_TRUE(is_in_doubt(k_last, k_last - 1h, k_last - 9min));
  EXPECT_FALSE(is_in_doubt(k_last, Time{}, k_last - 11min));
}

TEST(Doubt, is_of_none_of_which_nothing_was_ever_acknowledged) {
  EXPECT_FALSE(is_in_doubt(k_last, Time{}, Time{}));
  EXPECT_FALSE(is_in_doubt(Time{} + 1min, Time{}, Time{}));  // a machine that has just been started
}

}  // namespace
}  // namespace maildirsync::agent
