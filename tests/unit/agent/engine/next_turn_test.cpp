#include "agent/engine/next_turn.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using namespace std::chrono_literals;
using Ended = EndedTurn;
using WaitsFor = NextTurn::WaitsFor;

const Time k_then = Clock::now() - 1min;

Work of_a_name() {
  Work work;
  work.add_name("", {sync::Area::new_, "1.a"}, k_then);
  return work;
}

Work of_structure() {
  Work work;
  work.structure = true;
  return work;
}

TEST(NextTurn, a_clean_turn_waits_for_the_next_change) {
  const auto next = next_turn({.ordered = of_a_name(), .failures = 4});
  EXPECT_EQ(next.waits_for, WaitsFor::change);
  EXPECT_TRUE(next.work.empty());
  EXPECT_EQ(next.failures, 0U);
  EXPECT_FALSE(next.satisfied);
}

TEST(NextTurn, a_clean_turn_satisfies_the_flush_that_it_answers) {
  EXPECT_EQ(next_turn({.generation = 7, .satisfied = 3}).satisfied, 7U);
}

TEST(NextTurn, a_clean_turn_does_not_unsay_a_newer_flush) {
  EXPECT_EQ(next_turn({.generation = 7, .satisfied = 9}).satisfied, 9U);
}

TEST(NextTurn, a_refusal_that_waits_for_a_person_is_no_reason_to_try_again) {
  const auto next = next_turn({.refused = Ended::Refused::named, .generation = 7});
  EXPECT_EQ(next.waits_for, WaitsFor::change);
  EXPECT_EQ(next.satisfied, 7U);
}

TEST(NextTurn, after_a_lost_connection_all_of_it_is_compared_at_once) {
  const auto next =
      next_turn({.connection = Ended::Connection::lost, .ordered = of_a_name(), .generation = 7, .failures = 5});
  EXPECT_EQ(next.waits_for, WaitsFor::its_time);
  EXPECT_EQ(next.delay, Clock::duration::zero());
  EXPECT_TRUE(next.work.compare);
  EXPECT_TRUE(next.work.structure);
  EXPECT_EQ(next.work.folders.size(), 1U);
  EXPECT_EQ(next.work.oldest, k_then);
  EXPECT_FALSE(next.satisfied);
}

TEST(NextTurn, what_it_was_told_of_while_it_ran_is_lost_with_it) {
  EXPECT_EQ(next_turn({.connection = Ended::Connection::lost, .later = of_a_name()}).work.folders.size(), 1U);
  EXPECT_EQ(next_turn({.retry = Ended::Retry::yes, .later = of_a_name()}).work.folders.size(), 1U);
  EXPECT_EQ(next_turn({.end = TurnEnd::failed, .later = of_a_name()}).work.folders.size(), 1U);
  EXPECT_TRUE(next_turn({.later = of_a_name()}).work.empty());
}

TEST(NextTurn, a_retry_looks_at_the_same_names_again_and_keeps_their_age) {
  const auto next = next_turn({.retry = Ended::Retry::yes, .ordered = of_a_name()});
  EXPECT_TRUE(next.work.structure);
  EXPECT_FALSE(next.work.compare);
  EXPECT_EQ(next.work.folders.size(), 1U);
  EXPECT_EQ(next.work.oldest, k_then);
}

TEST(NextTurn, retries_come_ever_later_up_to_half_a_minute) {
  const auto delay_after = [](unsigned failures) {
    return next_turn({.retry = Ended::Retry::yes, .failures = failures}).delay;
  };
  EXPECT_EQ(delay_after(0), 200ms);
  EXPECT_EQ(delay_after(1), 400ms);
  EXPECT_EQ(delay_after(5), 6400ms);
  EXPECT_EQ(delay_after(8), 30s);
  EXPECT_EQ(delay_after(1000), 30s);
  EXPECT_EQ(next_turn({.retry = Ended::Retry::yes, .failures = 3}).failures, 4U);
}

TEST(NextTurn, a_folder_that_changed_while_it_was_read_is_looked_at_again_soon) {
  const auto delay_after = [](unsigned failures) {
    return next_turn({.again = of_structure(), .failures = failures}).delay;
  };
  EXPECT_EQ(delay_after(0), 10ms);
  EXPECT_EQ(delay_after(3), 80ms);
  EXPECT_EQ(delay_after(9), 500ms);
}

TEST(NextTurn, a_folder_whose_stamp_is_too_young_is_looked_at_when_it_is_not) {
  const auto next = next_turn({.again = of_structure(), .rests_in = 700ms, .failures = 3});
  EXPECT_EQ(next.delay, 700ms);
  EXPECT_EQ(next.failures, 3U);
}

TEST(NextTurn, a_destination_that_differs_is_compared) {
  const auto next = next_turn({.destination = Ended::Destination::differs, .generation = 7});
  EXPECT_EQ(next.waits_for, WaitsFor::its_time);
  EXPECT_TRUE(next.work.compare);
  EXPECT_FALSE(next.satisfied);
}

TEST(NextTurn, what_failed_and_may_have_been_done_is_asked_for_by_the_next_turn_whatever_it_is_for) {
  const auto next = next_turn({.refused = Ended::Refused::named, .destination = Ended::Destination::in_doubt});
  EXPECT_EQ(next.waits_for, WaitsFor::change);
  EXPECT_TRUE(next.in_doubt);
  EXPECT_TRUE(next.work.empty());
}

TEST(NextTurn, a_flush_names_what_is_refused_rather_than_wait_for_ever) {
  EXPECT_EQ(next_turn({.retry = Ended::Retry::yes, .refused = Ended::Refused::named, .generation = 7}).satisfied, 7U);
  EXPECT_FALSE(
      next_turn({.retry = Ended::Retry::yes, .refused = Ended::Refused::looked_for, .generation = 7}).satisfied);
}

TEST(NextTurn, a_flush_names_an_account_that_cannot_be_read_at_the_fourth_try) {
  EXPECT_FALSE(next_turn({.end = TurnEnd::failed, .generation = 7, .failures = 2}).satisfied);
  EXPECT_EQ(next_turn({.end = TurnEnd::failed, .generation = 7, .failures = 3}).satisfied, 7U);
}

TEST(NextTurn, a_flush_that_still_waits_has_the_account_walked_again) {
  EXPECT_TRUE(next_turn({.again = of_a_name(), .generation = 7, .satisfied = 6}).work.structure);
  EXPECT_FALSE(next_turn({.again = of_a_name(), .generation = 7, .satisfied = 7}).work.structure);
}

TEST(NextTurn, a_held_account_keeps_its_work_and_waits_for_a_person) {
  const auto next = next_turn({.end = TurnEnd::held, .again = of_a_name(), .generation = 7});
  EXPECT_EQ(next.waits_for, WaitsFor::person);
  EXPECT_EQ(next.work.folders.size(), 1U);
  EXPECT_FALSE(next.satisfied);
}

TEST(NextTurn, an_account_whose_directory_is_not_there_waits_for_a_walk_of_its_root) {
  const auto next = next_turn({.end = TurnEnd::gone, .ordered = of_a_name()});
  EXPECT_EQ(next.waits_for, WaitsFor::walk);
  EXPECT_EQ(next.work.folders.size(), 1U);
}

TEST(NextTurn, removals_that_may_be_the_beginning_of_more_are_believed_by_the_next_turn) {
  const auto next = next_turn({.removals = Removals::settle, .again = of_a_name()});
  EXPECT_EQ(next.waits_for, WaitsFor::its_time);
  EXPECT_EQ(next.delay, 250ms);
  EXPECT_TRUE(next.work.settled);
}

TEST(NextTurn, a_mass_of_removals_waits_until_no_more_goes) {
  const auto next = next_turn({.removals = Removals::in_mass, .again = of_a_name()});
  EXPECT_EQ(next.waits_for, WaitsFor::mass);
  EXPECT_TRUE(next.work.settled);
}

TEST(NextTurn, what_goes_missing_at_the_destination_is_not_sent_again_while_more_goes) {
  EXPECT_EQ(next_turn({.end = TurnEnd::settling, .again = of_a_name()}).waits_for, WaitsFor::missing);
}

TEST(NextTurn, what_waits_for_room_alone_is_not_tried_again_and_no_flush_waits_for_it) {
  const auto next = next_turn(
      {.retry = Ended::Retry::yes, .room = Ended::Room::waits, .ordered = of_a_name(), .generation = 7, .failures = 2});
  EXPECT_EQ(next.waits_for, WaitsFor::room);
  EXPECT_TRUE(next.work.empty());
  EXPECT_EQ(next.satisfied, 7U);
  EXPECT_EQ(next.failures, 0U);
}

TEST(NextTurn, what_was_refused_beside_a_full_destination_is_tried_again) {
  const auto next =
      next_turn({.retry = Ended::Retry::yes, .refused = Ended::Refused::looked_for, .room = Ended::Room::waits});
  EXPECT_EQ(next.waits_for, WaitsFor::its_time);
}

TEST(NextTurn, a_hold_ends_with_a_turn_that_sent_all_and_put_no_removal_off) {
  EXPECT_TRUE(shows_that_all_is_well({}));
  EXPECT_FALSE(shows_that_all_is_well({.end = TurnEnd::held}));
  EXPECT_FALSE(shows_that_all_is_well({.end = TurnEnd::settling}));
  EXPECT_FALSE(shows_that_all_is_well({.connection = Ended::Connection::lost}));
  EXPECT_FALSE(shows_that_all_is_well({.removals = Removals::in_mass}));
}

}  // namespace
}  // namespace maildirsync::agent
