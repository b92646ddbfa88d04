#include "agent/turn/room.h"

#include <limits>

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

sync::Operation put(const std::string& name, std::uint64_t size) {
  sync::Operation operation;
  operation.to = {"", sync::Area::cur, name};
  operation.result.name = name;
  operation.result.size = size;
  operation.result.attributes.uid = static_cast<std::uint32_t>(size);
  return operation;
}

TEST(Room, there_is_any_while_nothing_was_refused) {
  Room room;
  EXPECT_TRUE(room.take(std::uint64_t{1} << 60));
  EXPECT_TRUE(room.take(std::numeric_limits<std::uint64_t>::max()));
}

TEST(Room, there_is_none_until_the_receiver_tells) {
  Room room;
  room.is_full();
  EXPECT_FALSE(room.take(0));
  room.tell(1 << 20, 100);
  EXPECT_TRUE(room.take(1000));
}

TEST(Room, is_given_out_once) {
  Room room;
  room.is_full();
  room.tell(100'000, 100);
  EXPECT_TRUE(room.take(50'000));
  EXPECT_FALSE(room.take(50'000)) << "with their names and the rest, two are more";
  EXPECT_TRUE(room.take(20'000)) << "a smaller one fits";
}

TEST(Room, ends_with_the_files_too) {
  Room room;
  room.is_full();
  room.tell(1 << 30, 2);
  EXPECT_TRUE(room.take(1));
  EXPECT_TRUE(room.take(1));
  EXPECT_FALSE(room.take(1));
}

TEST(Room, is_any_again_when_nothing_waits) {
  Room room;
  room.is_full();
  room.is_no_longer_full();
  EXPECT_TRUE(room.take(1 << 30));
}

TEST(WantOfRoom, counts_what_waits_and_knows_the_smallest) {
  WantOfRoom want;
  want.add(put("a", 3 << 20), "the disk is full");
  want.add(put("b", 1 << 20), "another sentence");
  WantOfRoom more;
  more.add(put("c", 2 << 20), "");
  want.merge(more);
  EXPECT_EQ(want.messages, 3u);
  EXPECT_EQ(want.bytes, std::uint64_t{6} << 20);
  EXPECT_EQ(want.smallest, std::uint64_t{1} << 20);
  EXPECT_EQ(want.owner.uid, std::uint32_t{1} << 20) << "that of the smallest";
  EXPECT_EQ(want.path, "cur/a");
  EXPECT_EQ(sentence_of(want),
            "3 files (6.0 MiB) of the account wait for room at the destination, the smallest of 1.000 MiB: the disk is "
            "full; sent again when the receiver says that there is room");
}

TEST(WantOfRoom, of_nothing_changes_nothing) {
  WantOfRoom want;
  want.add(put("a", 5), "");
  want.merge({});
  EXPECT_EQ(want.messages, 1u);
  EXPECT_EQ(want.smallest, 5u);
}

}  // namespace
}  // namespace maildirsync::agent
