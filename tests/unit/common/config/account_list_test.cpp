#include "common/config/account_list.h"

#include <gtest/gtest.h>

#include "tests/unit/common/config/files.h"

namespace maildirsync::config {
namespace {

TEST(AccountList, has_names_and_globs_and_no_comments) {
  const AccountList list =
      parse_account_list("# first wave\nalice@example.org\n  bob@example.org\t# on holiday\r\n\n*@example.net");
  EXPECT_TRUE(list.contains("alice@example.org"));
  EXPECT_TRUE(list.contains("bob@example.org"));
  EXPECT_TRUE(list.contains("anyone@example.net"));
  EXPECT_FALSE(list.contains("carol@example.org"));
  EXPECT_FALSE(list.contains("# first wave"));
  EXPECT_TRUE(parse_account_list("# nobody yet\n").empty());
}

TEST(AccountList, names_are_added_and_taken_out_and_the_rest_stays) {
  const std::string text = "# wave\nalice@a # ill\n*@b";
  EXPECT_EQ(with_names(text, {"bob@a", "alice@a"}), "# wave\nalice@a # ill\n*@b\nbob@a\n");
  EXPECT_EQ(without_names(text, {"alice@a", "nobody@a"}), "# wave\n*@b\n");
  EXPECT_EQ(with_names("", {"a"}), "a\n");
}

class Lists : public Files {};

TEST_F(Lists, are_read_with_the_configuration) {
  tree_.file("moved", "alice@example.org\n");
  const std::string file = "\"" + path("moved") + "\"\n";
  const auto agent = read_agent_text(agent_ + "include_file = " + file + "[[root]]\nname = \"rest\"\npath = \"/m\"\n" +
                                     "accounts = \"%u\"\nexclude_file = " + file);
  ASSERT_TRUE(agent) << agent.error().message();
  EXPECT_TRUE(takes(agent->roots[0], "alice@example.org"));
  EXPECT_FALSE(takes(agent->roots[0], "bob@example.org"));
  EXPECT_FALSE(takes(agent->roots[1], "alice@example.org"));
  EXPECT_TRUE(takes(agent->roots[1], "bob@example.org"));
}

TEST_F(Lists, that_are_away_are_an_error_and_not_empty) {
  const auto agent = read_agent_text(agent_ + "exclude_file = \"" + path("none") + "\"\n");
  ASSERT_FALSE(agent);
  EXPECT_NE(agent.error().detail.find("exclude_file"), std::string::npos) << agent.error().detail;
  EXPECT_NE(agent.error().detail.find("may be empty"), std::string::npos) << agent.error().detail;
}

}  // namespace
}  // namespace maildirsync::config
