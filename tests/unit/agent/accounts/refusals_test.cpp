#include "agent/accounts/refusals.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

TEST(Refusals, what_waited_for_something_else_comes_again) {
  Refusals refusals;
  for (int turn = 0; turn < 10; ++turn) {
    EXPECT_EQ(refusals.note(ErrorCode::postponed, "dovecot-uidlist"), AfterRefusal::again);
    EXPECT_EQ(refusals.note(ErrorCode::changed_while_read, "cur/a"), AfterRefusal::again);
    refusals.end_turn();
  }
}

TEST(Refusals, a_wrong_belief_is_looked_at_so_often_and_is_then_said) {
  for (const auto code : {ErrorCode::basis_mismatch, ErrorCode::unexpected, ErrorCode::cancelled}) {
    Refusals refusals;
    for (unsigned turn = 0; turn < k_looks_before_problem; ++turn) {
      EXPECT_EQ(refusals.note(code, "dovecot-uidlist"), AfterRefusal::look);
      refusals.end_turn();
    }
    EXPECT_EQ(refusals.note(code, "dovecot-uidlist"), AfterRefusal::stuck);
    refusals.end_turn();
    EXPECT_EQ(refusals.note(code, "dovecot-uidlist"), AfterRefusal::stuck);
  }
}

TEST(Refusals, of_one_turn_count_once) {
  Refusals refusals;
  for (unsigned i = 0; i < 3 * k_looks_before_problem; ++i)
    EXPECT_EQ(refusals.note(ErrorCode::unexpected, "cur/a" + std::to_string(i)), AfterRefusal::look);
}

TEST(Refusals, are_settled_by_a_turn_without_them) {
  Refusals refusals;
  for (unsigned turn = 0; turn < 2 * k_looks_before_problem; ++turn) {
    EXPECT_EQ(refusals.note(ErrorCode::unexpected, "cur/a"), AfterRefusal::look);
    refusals.end_turn();
    refusals.end_turn();
  }
}

TEST(Refusals, for_one_reason_do_not_count_for_another) {
  Refusals refusals;
  for (unsigned turn = 0; turn < k_looks_before_problem; ++turn) {
    refusals.note(ErrorCode::unexpected, "cur/a");
    refusals.end_turn();
  }
  EXPECT_EQ(refusals.note(ErrorCode::basis_mismatch, "cur/a"), AfterRefusal::look);
}

TEST(Refusals, what_may_pass_is_a_problem_that_is_tried_again) {
  Refusals refusals;
  for (const auto code : {ErrorCode::no_space, ErrorCode::root_gone, ErrorCode::io})
    EXPECT_EQ(refusals.note(code, "cur/a"), AfterRefusal::later);
}

TEST(Refusals, what_needs_a_person_is_named_at_once) {
  Refusals refusals;
  for (const auto code : {ErrorCode::conflict, ErrorCode::not_empty, ErrorCode::permission, ErrorCode::unmapped_owner,
                          ErrorCode::bad_name, ErrorCode::special_file})
    EXPECT_EQ(refusals.note(code, "cur/a"), AfterRefusal::named);
}

TEST(Refusals, those_that_tell_of_the_destination_want_a_look_before_the_next_try) {
  for (const auto code : {ErrorCode::unexpected, ErrorCode::basis_mismatch, ErrorCode::conflict, ErrorCode::not_empty})
    EXPECT_TRUE(tells_of_destination(code));
  for (const auto code : {ErrorCode::no_space, ErrorCode::unmapped_owner, ErrorCode::special_file})
    EXPECT_FALSE(tells_of_destination(code));
}

TEST(NameBeside, is_the_base_with_a_mark_and_all_else_as_it_was) {
  EXPECT_TRUE(is_name_beside("17.M1P1.mx:2,S", "17.M1P1.mx.c0123abcd:2,S"));
  EXPECT_TRUE(is_name_beside("17.M1P1.mx,S=5,W=6:2,S", "17.M1P1.mx.c0123abcd,S=5,W=6:2,S"));
  EXPECT_TRUE(is_name_beside("17.M1P1.mx", "17.M1P1.mx.c0123abcd"));
  EXPECT_TRUE(is_name_beside("17.M1P1.mx:2,S", "17.M1P1.mx.c0123abcd.cffffffff:2,S"));  // taken in its turn
}

TEST(NameBeside, is_nothing_else) {
  const std::string name = "17.M1P1.mx,S=5:2,S";
  for (const auto* other :
       {"", "17.M1P1.mx,S=5:2,S", "../../etc/passwd:2,S", "18.M1P1.mx.c0123abcd,S=5:2,S",
        "17.M1P1.mx.c0123abcd,S=6:2,S", "17.M1P1.mx.c0123abcd,S=5:2,", "17.M1P1.mx.c0123ABCD,S=5:2,S",
        "17.M1P1.mx.c0123,S=5:2,S", "17.M1P1.mx/.c0123abcd,S=5:2,S"})
    EXPECT_FALSE(is_name_beside(name, other)) << other;
}

}  // namespace
}  // namespace maildirsync::agent
