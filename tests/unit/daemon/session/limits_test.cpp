#include "daemon/session/limits.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

TEST(Limits, leaves_four_descriptors_for_each_operation) {
  for (const std::uint64_t descriptors : {128U, 256U, 500U, 1024U, 65536U, 1048576U}) {
    for (std::size_t threads = 2; threads <= 16; ++threads) {
      const auto limits = limits_of(descriptors, threads);
      EXPECT_GE(limits.part, 1u);
      EXPECT_LE(4 * (limits.most_waiting + threads * limits.part), descriptors) << threads << " threads";
    }
  }
}

TEST(Limits, is_bounded_where_descriptors_are_not) {
  const auto limits = limits_of(UINT64_MAX, 2);
  EXPECT_EQ(limits.most_waiting, 8192u);
  EXPECT_EQ(limits.part, 64u);
}

TEST(Limits, is_never_none) {
  EXPECT_EQ(limits_of(0, 16).part, 1u);
  EXPECT_EQ(limits_of(0, 16).most_waiting, 16u);
}

}  // namespace
}  // namespace maildirsync::daemon
