#include "agent/requests/extra_mail.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

TEST(ExtraMail, nothing_is_said_of_none) {
  EXPECT_EQ(describe({}), "");
}

TEST(ExtraMail, one_file_is_told_with_its_account_and_what_to_do) {
  ExtraMail extra{.files = 1, .accounts = 1};
  extra.first.push_back({{"root", "vhosts"}, {"account", "a@example.org"}, {"extra", 1}});
  EXPECT_EQ(describe(extra),
            "only the destination has 1 file in 1 account (a@example.org: 1): the mirror leaves it there, and a "
            "cutover stops at it. maildirsync verify names it");
  extra.has_trash = true;
  EXPECT_TRUE(describe(extra).ends_with(
      "maildirsync verify names it, verify --repair --aside-extra moves what is extra into the trash there"));
}

TEST(ExtraMail, of_many_accounts_the_first_three_are_named) {
  ExtraMail extra{.files = 21, .accounts = 6, .has_trash = true};
  for (int i = 6; i > 0; --i)
    extra.first.push_back({{"root", "vhosts"}, {"account", std::string(1, static_cast<char>('a' + i))}, {"extra", i}});
  EXPECT_NE(describe(extra).find("21 files in 6 accounts (g: 6, f: 5, e: 4, …): the mirror leaves them there"),
            std::string::npos)
      << describe(extra);
}

}  // namespace
}  // namespace maildirsync::agent
