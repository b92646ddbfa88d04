#include "daemon/session/acks.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

Committed done(std::uint64_t sequence) {
  return {.sequence = sequence, .error = {}, .outcome = {}, .account = std::make_shared<Account>(), .path = {}};
}

Committed refused(std::uint64_t sequence, ErrorCode code, const std::string& why) {
  Committed one = done(sequence);
  one.error = Error{code, "", why, 0};
  return one;
}

TEST(Acks, operations_that_are_done_are_one_number) {
  const auto acks = acks_of({done(1), done(2), done(3)});
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].ack().sequence(), 3U);
  EXPECT_EQ(acks[0].ack().failed_size(), 0);
  EXPECT_TRUE(acks_of({}).empty());
}

TEST(Acks, what_was_refused_is_named_with_a_sentence_that_is_not_too_long) {
  Committed one = refused(2, ErrorCode::conflict, std::string(1000, 'x'));
  one.untouched = true;
  const auto acks = acks_of({done(1), one});
  ASSERT_EQ(acks.size(), 1U);
  ASSERT_EQ(acks[0].ack().failed_size(), 1);
  const auto& failed = acks[0].ack().failed(0);
  EXPECT_EQ(failed.sequence(), 2U);
  EXPECT_EQ(failed.code(), static_cast<std::uint32_t>(ErrorCode::conflict));
  EXPECT_EQ(failed.detail().size(), 800U);
  EXPECT_TRUE(failed.untouched());
  EXPECT_FALSE(failed.whole_root());
}

TEST(Acks, only_what_is_wrong_with_the_whole_root_is_said_to_be) {
  auto account = std::make_shared<Account>();
  account->root_error = Error{ErrorCode::root_gone, "", "gone", 0};
  Committed one = refused(1, ErrorCode::root_gone, "gone");
  one.account = account;
  EXPECT_TRUE(acks_of({one}).at(0).ack().failed(0).whole_root());
  account->root_error->code = ErrorCode::owned_by_another;
  EXPECT_FALSE(acks_of({one}).at(0).ack().failed(0).whole_root());
}

TEST(Acks, what_succeeded_otherwise_than_asked_is_told) {
  Committed one = done(7);
  one.outcome = {.renamed = "1.x.c01234567", .detail = "taken", .indexed = true, .other_time = 12};
  one.lesser_mode = 0644;
  one.looks = {{"", 1, 2}, {".Sent", 3, 4}};
  const auto acks = acks_of({one});
  ASSERT_EQ(acks.size(), 1U);
  const auto& ack = acks[0].ack();
  ASSERT_EQ(ack.renamed_size(), 1);
  EXPECT_EQ(ack.renamed(0).name(), "1.x.c01234567");
  ASSERT_EQ(ack.lesser_modes_size(), 1);
  EXPECT_EQ(ack.lesser_modes(0).mode(), 0644U);
  ASSERT_EQ(ack.other_times_size(), 1);
  EXPECT_EQ(ack.other_times(0).time(), 12);
  EXPECT_EQ(ack.indexed_size(), 1);
  ASSERT_EQ(ack.left_size(), 2);
  EXPECT_EQ(ack.left(1).folder(), ".Sent");
}

TEST(Acks, much_to_say_is_said_in_several_frames_in_order) {
  std::vector<Committed> many;
  for (std::uint64_t i = 1; i <= 1200; ++i)
    many.push_back(refused(i, ErrorCode::io, "disk"));
  many.push_back(done(1201));
  const auto acks = acks_of(many);
  ASSERT_EQ(acks.size(), 3U);
  EXPECT_EQ(acks[0].ack().sequence(), 500U);
  EXPECT_EQ(acks[1].ack().sequence(), 1000U);
  EXPECT_EQ(acks[2].ack().sequence(), 1201U);
  EXPECT_EQ(acks[2].ack().failed_size(), 200);
}

}  // namespace
}  // namespace maildirsync::daemon
