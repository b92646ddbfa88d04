#include "agent/link/outbox.h"

#include <atomic>
#include <future>

#include <gtest/gtest.h>

#include "common/wire/frame.h"

namespace maildirsync::agent {
namespace {

constexpr std::size_t k_more_than_is_written_ahead = 1024 * 1024;

class OutboxTest : public ::testing::Test {
 protected:
  Sent sent() {
    Sent one;
    one.sequence = outbox.next_sequence(epoch);
    return one;
  }
  bool push(const std::string& frames, std::size_t operations = 1) {
    std::vector<Sent> all;
    for (std::size_t i = 0; i < operations; ++i)
      all.push_back(sent());
    return outbox.push(epoch, frames, std::move(all));
  }
  /// On a thread of its own, as a lane does; waits until the outbox makes it wait, or it is through.
  std::future<bool> push_from_a_lane(const std::string& frames) {
    return std::async(std::launch::async, [this, frames] { return outbox.push(epoch, frames, {}); });
  }
  static bool waits(const std::future<bool>& lane) {
    return lane.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout;
  }

  std::atomic<int> woken{0};
  Outbox outbox{[this] { ++woken; }};
  std::uint64_t epoch = outbox.open();
};

TEST_F(OutboxTest, gives_back_what_was_pushed_in_its_order) {
  ASSERT_TRUE(push("first "));
  ASSERT_TRUE(push("second"));
  const auto batch = outbox.take();
  EXPECT_EQ(batch.bytes, "first second");
  ASSERT_EQ(batch.sent.size(), 2u);
  EXPECT_EQ(batch.sent[0].sequence, 1u);
  EXPECT_EQ(batch.sent[1].sequence, 2u);
  EXPECT_TRUE(outbox.take().bytes.empty());
}

TEST_F(OutboxTest, wakes_the_loop_once_for_all_that_waits) {
  ASSERT_TRUE(push("first"));
  ASSERT_TRUE(push("second"));
  EXPECT_EQ(woken, 1);
  outbox.take();
  ASSERT_TRUE(push("third"));
  EXPECT_EQ(woken, 2);
}

TEST_F(OutboxTest, holds_the_room_of_frames_against_the_last_of_their_operations) {
  ASSERT_TRUE(push("three operations", 3));
  const auto batch = outbox.take();
  ASSERT_EQ(batch.sent.size(), 3u);
  EXPECT_EQ(batch.sent[0].bytes, 0u);
  EXPECT_EQ(batch.sent[1].bytes, 0u);
  EXPECT_EQ(batch.sent[2].bytes, std::string("three operations").size());
}

TEST_F(OutboxTest, lets_a_lane_wait_until_what_was_pushed_is_taken) {
  ASSERT_TRUE(push(std::string(k_more_than_is_written_ahead, 'x')));
  auto lane = push_from_a_lane("more");
  EXPECT_TRUE(waits(lane));
  outbox.take();
  EXPECT_TRUE(lane.get());
  EXPECT_EQ(outbox.take().bytes, "more");
  EXPECT_GT(outbox.waited().count(), 0);
}

TEST_F(OutboxTest, lets_a_lane_wait_while_too_much_is_not_acknowledged) {
  ASSERT_TRUE(push(std::string(Outbox::k_limit, 'x')));
  outbox.take();
  auto lane = push_from_a_lane("more");
  EXPECT_TRUE(waits(lane));
  outbox.acknowledged(1, Outbox::k_limit);
  EXPECT_TRUE(lane.get());
}

TEST_F(OutboxTest, lets_a_lane_wait_while_too_many_operations_are_not_acknowledged) {
  ASSERT_TRUE(push("many", Outbox::k_operation_limit));
  outbox.take();
  auto lane = push_from_a_lane("more");
  EXPECT_TRUE(waits(lane));
  outbox.acknowledged(1, 0);
  EXPECT_TRUE(lane.get());
}

TEST_F(OutboxTest, sends_the_lanes_home_when_the_connection_is_gone_and_gives_back_what_was_not_taken) {
  ASSERT_TRUE(push(std::string(k_more_than_is_written_ahead, 'x')));
  auto lane = push_from_a_lane("more");
  EXPECT_TRUE(waits(lane));
  const auto lost = outbox.close();
  EXPECT_FALSE(lane.get());
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].sequence, 1u);
  EXPECT_FALSE(push("after the end"));
}

TEST_F(OutboxTest, refuses_what_belongs_to_an_earlier_connection) {
  const auto before = epoch;
  outbox.close();
  epoch = outbox.open();
  EXPECT_NE(epoch, before);
  EXPECT_EQ(outbox.next_sequence(before), 0u);
  EXPECT_FALSE(outbox.push(before, "late", {}));
  EXPECT_EQ(outbox.next_sequence(epoch), 1u) << "the numbers of a connection begin anew";
  EXPECT_TRUE(outbox.take().bytes.empty());
}

TEST_F(OutboxTest, lets_no_small_frame_wait) {
  ASSERT_TRUE(push(std::string(Outbox::k_limit, 'x')));
  wire::Header ping;
  ping.mutable_ping();
  outbox.push_urgent(ping);
  EXPECT_GT(outbox.take().bytes.size(), Outbox::k_limit);
  EXPECT_EQ(woken, 2);
}

TEST_F(OutboxTest, has_no_urgent_frame_for_nobody) {
  outbox.close();
  wire::Header ping;
  ping.mutable_ping();
  outbox.push_urgent(ping);
  EXPECT_EQ(woken, 0);
  EXPECT_TRUE(outbox.take().bytes.empty());
}

}  // namespace
}  // namespace maildirsync::agent
