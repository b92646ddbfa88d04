#include "agent/requests/flush_standing.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

std::string waits(const FlushFacts& facts) {
  const auto stands = standing(facts);
  return stands.end == FlushEnd::waits ? stands.cause : "does not wait";
}

std::string cannot(const FlushFacts& facts) {
  const auto stands = standing(facts);
  return stands.end == FlushEnd::cannot ? stands.code + ": " + stands.cause : "can";
}

TEST(FlushStanding, an_account_whose_turn_was_clean_is_done) {
  EXPECT_EQ(standing({.satisfied = true}).end, FlushEnd::done);
  EXPECT_EQ(standing({.satisfied = true, .paused = true}).end, FlushEnd::done);
  EXPECT_EQ(standing({.satisfied = true, .connected = false}).end, FlushEnd::done);
}

TEST(FlushStanding, what_needs_a_person_cannot_end) {
  EXPECT_EQ(cannot({.root_hold = "empty"}), "root-gone: empty");
  EXPECT_EQ(cannot({.account_hold = "60 of 100"}), "mass-deletion: 60 of 100");
  EXPECT_EQ(cannot({.not_found = "not reached", .not_found_code = "permission"}), "permission: not reached");
  EXPECT_EQ(cannot({.paused = true}), "paused: waits for maildirsync resume");
}

TEST(FlushStanding, a_held_account_is_left_out_whatever_it_did_before) {
  EXPECT_EQ(cannot({.satisfied = true, .account_hold = "60 of 100"}), "mass-deletion: 60 of 100");
}

TEST(FlushStanding, a_turn_that_began_before_a_pause_ends) {
  EXPECT_EQ(waits({.paused = true, .in_turn = true}), "is being looked at");
}

TEST(FlushStanding, each_wait_says_for_what) {
  EXPECT_EQ(waits({.connected = false}), "waits for the connection to the receiver");
  EXPECT_EQ(waits({.in_turn = true, .to_send = 7}), "is being sent: 7 messages to go");
  EXPECT_EQ(waits({.in_turn = true, .looked = true, .sent = 9, .answered = 4}),
            "waits for the receiver to acknowledge 5 of 9 operations");
  EXPECT_EQ(waits({.in_turn = true, .looked = true, .sent = 9, .answered = 9}), "is being recorded");
  EXPECT_EQ(waits({.removals_wait = true}), "waits a moment, so that a mass deletion would be seen as a whole");
  EXPECT_EQ(waits({.unrested = "folder Sent"}), "changes while it is looked at: folder Sent");
  EXPECT_EQ(waits({.refused = "dovecot-uidlist: another basis"}),
            "is tried again, after: dovecot-uidlist: another basis");
  EXPECT_EQ(waits({.before_it = 3}), "waits for its turn, after 3 accounts");
  EXPECT_EQ(waits({.complete = false}), "waits for its turn, the first");
}

}  // namespace
}  // namespace maildirsync::agent
