#include "agent/destination/destination_looks.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

TEST(DestinationCheck, asks_for_all_accounts_in_questions_of_bounded_size) {
  std::vector<BelievedLooks> accounts;
  for (AccountId id = 1; id <= 5000; ++id)
    accounts.push_back({id, "example.org/user" + std::to_string(id), {{"", id + 10}, {".Sent", id + 11}}});
  const auto questions = looks_questions("vhosts", accounts);
  ASSERT_GT(questions.size(), 1U);
  AccountId next = 1;
  for (const auto& question : questions) {
    EXPECT_LT(question.list.ByteSizeLong(), 256U * 1024);
    EXPECT_EQ(question.list.root(), "vhosts");
    ASSERT_EQ(static_cast<std::size_t>(question.list.believed_size()), question.accounts.size());
    for (std::size_t i = 0; i < question.accounts.size(); ++i, ++next) {
      const auto& believed = question.list.believed(static_cast<int>(i));
      EXPECT_EQ(question.accounts[i], next);
      EXPECT_EQ(believed.account(), "example.org/user" + std::to_string(next));
      ASSERT_EQ(believed.folders_size(), 2);
      EXPECT_EQ(believed.stamps(1), next + 11);
    }
  }
  EXPECT_EQ(next, 5001U);
}

TEST(DestinationCheck, what_is_not_known_must_be_compared) {
  EXPECT_TRUE(must_be_compared({1, "a", {{"", 5}, {".Sent", 0}}}));
  EXPECT_FALSE(must_be_compared({1, "a", {{"", 5}, {".Sent", 1}}}));
}

}  // namespace
}  // namespace maildirsync::agent
