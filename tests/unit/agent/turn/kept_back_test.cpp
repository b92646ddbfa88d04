#include "agent/turn/kept_back.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using sync::Area;
using sync::Location;
using sync::Operation;
using sync::OperationKind;

class KeptBackTest : public ::testing::Test {
 protected:
  void begin() { kept_back_.begin(turn_); }

  static Operation operation(OperationKind kind, const Location& from, const Location& to, std::uint64_t size = 10) {
    Operation operation;
    operation.kind = kind;
    operation.from = from;
    operation.to = to;
    operation.result.name = to.name;
    operation.result.size = size;
    return operation;
  }
  static Operation put(const std::string& name, std::uint64_t size = 10) {
    return operation(OperationKind::put, {}, {"", Area::cur, name}, size);
  }
  static Operation link(const std::string& from, const std::string& to) {
    return operation(OperationKind::link, {"", Area::cur, from}, {".Sent", Area::cur, to});
  }

  std::shared_ptr<Turn> turn_ = std::make_shared<Turn>();
  KeptBack kept_back_;
};

TEST_F(KeptBackTest, a_link_to_a_message_that_a_rule_keeps_out_is_a_message_of_its_own) {
  begin();
  auto one = link("1.x", "1.x");
  kept_back_.send_alone_what_is_no_link(one);
  EXPECT_EQ(one.kind, OperationKind::link);
  kept_back_.unsent("cur/1.x");
  kept_back_.send_alone_what_is_no_link(one);
  EXPECT_EQ(one.kind, OperationKind::put);
  EXPECT_EQ(turn_->pending_messages, 1U);
  EXPECT_EQ(turn_->pending_bytes, 10U);
}

TEST_F(KeptBackTest, no_link_goes_to_a_message_that_moved_away_and_what_follows_messages_waits_for_it) {
  begin();
  kept_back_.moved_away("cur/1.x");
  EXPECT_TRUE(kept_back_.waits(link("1.x", "1.x")));
  EXPECT_FALSE(kept_back_.waits(link("2.x", "2.x")));
  EXPECT_FALSE(kept_back_.waits(put("3.x")));
  EXPECT_TRUE(kept_back_.waits(operation(OperationKind::put_control, {}, {"", Area::folder, "dovecot-uidlist"})));
  EXPECT_TRUE(turn_->report.again.folders.contains(".Sent"));
  EXPECT_TRUE(turn_->report.again.folders.contains(""));
}

TEST_F(KeptBackTest, what_a_full_destination_has_no_room_for_waits_and_so_does_what_follows) {
  turn_->order.waits_for_room = true;  // others of the account do already
  turn_->order.room = std::make_shared<Room>();
  begin();
  EXPECT_TRUE(kept_back_.waits(operation(OperationKind::put_control, {}, {"", Area::folder, "dovecot-uidlist"})));
  EXPECT_TRUE(turn_->report.put_off.contains(""));
}

TEST_F(KeptBackTest, a_turn_begins_with_nothing_kept_back) {
  begin();
  kept_back_.moved_away("cur/1.x");
  kept_back_.unsent("cur/2.x");
  begin();
  EXPECT_FALSE(kept_back_.waits(link("1.x", "1.x")));
  auto one = link("2.x", "2.x");
  kept_back_.send_alone_what_is_no_link(one);
  EXPECT_EQ(one.kind, OperationKind::link);
}

}  // namespace
}  // namespace maildirsync::agent
