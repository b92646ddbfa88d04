#include "common/sync/brake.h"

#include <gtest/gtest.h>

namespace maildirsync::sync {
namespace {

TEST(Brake, lets_forty_nine_of_any_number_go) {
  EXPECT_FALSE(should_hold(49, 49));
}

TEST(Brake, holds_fifty_of_fifty) {
  EXPECT_TRUE(should_hold(50, 50));
}

TEST(Brake, lets_a_quarter_go) {
  EXPECT_FALSE(should_hold(200, 50));
}

TEST(Brake, holds_more_than_a_quarter) {
  EXPECT_TRUE(should_hold(199, 50));
  EXPECT_FALSE(should_hold(1'000'000, 250'000));
  EXPECT_TRUE(should_hold(1'000'000, 250'001));
}

TEST(Brake, lets_nothing_go_from_nothing) {
  EXPECT_FALSE(should_hold(0, 0));
}

TEST(Brake, holds_when_more_went_within_the_window_than_are_left) {
  EXPECT_TRUE(should_hold(10, 60));
}

}  // namespace
}  // namespace maildirsync::sync
