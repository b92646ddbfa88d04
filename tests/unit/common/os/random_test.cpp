#include "common/os/random.h"

#include <string>

#include <gtest/gtest.h>

namespace maildirsync::os {
namespace {

TEST(Random, fills_the_whole_and_not_twice_the_same) {
  std::string one(32, '\0');
  std::string two(32, '\0');
  ASSERT_TRUE(fill_with_random(one.data(), one.size()));
  ASSERT_TRUE(fill_with_random(two.data(), two.size()));
  EXPECT_NE(one, two);
  EXPECT_NE(one.substr(24), std::string(8, '\0'));
}

}  // namespace
}  // namespace maildirsync::os
