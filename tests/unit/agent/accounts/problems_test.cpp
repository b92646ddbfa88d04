#include "agent/accounts/problems.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using namespace std::chrono_literals;

Problem problem(ErrorCode code, const std::string& path, Time since = Clock::now()) {
  return {code, path, "why", false, since};
}

Account account_with(std::initializer_list<Problem> problems) {
  Account account;
  account.complete = true;
  for (const auto& one : problems)
    account.problems.emplace(one.path, one);
  return account;
}

Root healthy_root() {
  return {.config = {}, .layout = *maildir::Layout::parse("%n"), .directory = nullptr};
}

TEST(Troubles, mail_that_is_refused_waits_and_what_is_left_out_on_purpose_does_not) {
  for (const auto code : {ErrorCode::permission, ErrorCode::unmapped_owner, ErrorCode::no_space, ErrorCode::bad_name,
                          ErrorCode::io, ErrorCode::root_gone}) {
    EXPECT_TRUE(keeps_waiting(problem(code, "cur/1"))) << to_string(code);
  }
  for (const auto code : {ErrorCode::conflict, ErrorCode::unwatched, ErrorCode::special_file, ErrorCode::mail_left_out,
                          ErrorCode::acl, ErrorCode::not_empty}) {
    EXPECT_FALSE(keeps_waiting(problem(code, "cur/1"))) << to_string(code);
  }
  auto lesser_mode = problem(ErrorCode::permission, "cur/1");
  lesser_mode.arrived = true;
  EXPECT_FALSE(keeps_waiting(lesser_mode));
}

TEST(Troubles, messages_and_others_are_counted_apart_with_the_oldest) {
  const Time now = Clock::now();
  const auto refused = refused_of(account_with(
      {problem(ErrorCode::permission, "cur/1", now - 5s), problem(ErrorCode::permission, ".Sent/new/2", now - 3h),
       problem(ErrorCode::permission, "subscriptions", now - 1s), problem(ErrorCode::conflict, "cur/9", now - 9h)}));
  EXPECT_EQ(refused.messages, 2U);
  EXPECT_EQ(refused.others, 1U);
  EXPECT_EQ(refused.accounts, 1U);
  ASSERT_TRUE(refused.since);
  EXPECT_EQ(*refused.since, now - 3h);
  EXPECT_FALSE(refused_of(account_with({problem(ErrorCode::conflict, "cur/9")})).any());
}

TEST(Troubles, a_whole_account_that_cannot_be_opened_is_no_message) {
  const auto refused = refused_of(account_with({problem(ErrorCode::permission, "")}));
  EXPECT_EQ(refused.messages, 0U);
  EXPECT_EQ(refused.others, 1U);
}

TEST(Troubles, a_root_that_cannot_be_listed_or_written_is_obstructed) {
  Root root = healthy_root();
  EXPECT_EQ(obstruction(root), "");
  root.distant_trouble = problem(ErrorCode::permission, "");
  EXPECT_EQ(obstruction(root), "why");
  EXPECT_TRUE(refused_of(root).any());
  root = healthy_root();
  root.unreadable = Error{ErrorCode::permission, "/srv", "cannot open", 13};
  EXPECT_NE(obstruction(root).find("cannot be read"), std::string::npos);
}

TEST(Troubles, an_account_is_in_one_state) {
  Root root = healthy_root();
  Account account = account_with({});
  EXPECT_EQ(state_of(account, root), "live");
  account.complete = false;
  EXPECT_EQ(state_of(account, root), "initial");
  account.problems.emplace("cur/1", problem(ErrorCode::io, "cur/1"));
  EXPECT_EQ(state_of(account, root), "refused");
  account.held = true;
  EXPECT_EQ(state_of(account, root), "held");
  account = account_with({});
  root.held = true;
  EXPECT_EQ(state_of(account, root), "held");
}

TEST(Troubles, no_first_pass_is_awaited_of_an_account_that_another_agent_brings) {
  Account account = account_with({});
  EXPECT_FALSE(is_initial(account));
  account.complete = false;
  EXPECT_TRUE(is_initial(account));
  account.problems.emplace("cur/9", problem(ErrorCode::unmapped_owner, "cur/9"));
  EXPECT_TRUE(is_initial(account));
  account.problems.emplace("", problem(ErrorCode::permission, ""));
  EXPECT_TRUE(is_initial(account)) << "mail that was never copied is missing";
  account.problems.at("").code = ErrorCode::owned_by_another;
  EXPECT_FALSE(is_initial(account));
}

TEST(Troubles, a_root_whose_accounts_are_all_refused_as_a_whole_is_of_no_use) {
  Account first = account_with({problem(ErrorCode::owned_by_another, "")});
  first.name = "b@example.org";
  Account second = account_with({problem(ErrorCode::permission, "")});
  second.name = "a@example.org";
  Usability usability;
  EXPECT_EQ(usability.trouble(), "");
  usability.add(first);
  EXPECT_EQ(usability.trouble(), "its only account is refused: b@example.org: why");
  usability.add(second);
  EXPECT_EQ(usability.trouble(), "all its accounts are refused: a@example.org: why");
  usability.add(account_with({problem(ErrorCode::permission, "cur/1")}));
  EXPECT_EQ(usability.trouble(), "");
}

}  // namespace
}  // namespace maildirsync::agent
