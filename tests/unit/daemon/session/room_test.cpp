#include "daemon/session/room.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

TEST(Room, leaves_four_descriptors_for_each_operation) {
  for (const std::uint64_t descriptors : {128U, 256U, 500U, 1024U, 65536U, 1048576U}) {
    for (std::size_t threads = 2; threads <= 16; ++threads) {
      const auto room = room_of(descriptors, threads);
      EXPECT_GE(room.part, 1u);
      EXPECT_LE(4 * (room.most_waiting + threads * room.part), descriptors) << threads << " threads";
    }
  }
}

TEST(Room, is_bounded_where_descriptors_are_not) {
  const auto room = room_of(UINT64_MAX, 2);
  EXPECT_EQ(room.most_waiting, 8192u);
  EXPECT_EQ(room.part, 64u);
}

TEST(Room, is_never_none) {
  EXPECT_EQ(room_of(0, 16).part, 1u);
  EXPECT_EQ(room_of(0, 16).most_waiting, 16u);
}

}  // namespace
}  // namespace maildirsync::daemon
