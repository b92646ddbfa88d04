#include "common/sync/brake.h"

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

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

Operation removal(const std::string& path, std::uint64_t inode) {
  const Entry entry = testing::file(path, inode);
  return {.kind = OperationKind::remove, .from = {"", entry.area, entry.name}, .expected = entry};
}

TEST(Brake, counts_a_message_that_goes_with_its_last_name) {
  EXPECT_EQ(messages_lost({removal("cur/1.x:2,", 11), removal("new/2.x", 12)}, {{11, 1}, {12, 1}}), 2u);
}

TEST(Brake, counts_no_control_files) {
  EXPECT_EQ(messages_lost({removal("dovecot-uidlist", 11)}, {}), 0u);
}

// IMAP's MOVE is a link and a removal, and the removal waits until it has settled: by then the link is acknowledged.
TEST(Brake, does_not_count_a_message_that_keeps_another_name) {
  EXPECT_EQ(messages_lost({removal("cur/1.x:2,", 11)}, {{11, 2}}), 0u);
}

TEST(Brake, counts_all_names_of_a_message_when_all_go) {
  EXPECT_EQ(messages_lost({removal("cur/1.x:2,", 11), removal("cur/2.x:2,", 11)}, {{11, 2}}), 2u);
}

TEST(Brake, does_not_count_a_message_that_gets_another_name) {
  Operation link{
      .kind = OperationKind::link, .to = {".A", Area::cur, "1.x:2,"}, .result = testing::file("cur/1.x:2,", 11)};
  EXPECT_EQ(messages_lost({link, removal("cur/1.x:2,", 11)}, {{11, 1}}), 0u);
}

TEST(Brake, counts_a_message_whose_inode_is_not_known) {
  EXPECT_EQ(messages_lost({removal("cur/1.x:2,", 0)}, {{0, 7}}), 1u);
}

}  // namespace
}  // namespace maildirsync::sync
