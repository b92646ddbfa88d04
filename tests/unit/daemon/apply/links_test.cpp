#include "daemon/apply/links.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

class JudgeLink : public ::testing::Test {
 protected:
  JudgeLink() { root_.maildir("other").file("other/cur/1.x:2,", "secret").maildir("a").maildir("a/.Sent"); }

  /// "" when the link may be made, else why not.
  std::string judged(const std::string& path, const std::string& target) {
    const auto account = root_.open().open_directory("a").value();
    const auto judged = judge_link(account, path, target);
    if (judged) return "";
    EXPECT_EQ(judged.error().code, ErrorCode::special_file);
    return judged.error().detail;
  }

  maildirsync::testing::Tree root_;
};

TEST_F(JudgeLink, lets_those_be_that_stay_inside) {
  root_.file("a/sieve/main.sieve", "keep;");
  EXPECT_EQ(judged(".dovecot.sieve", "sieve/main.sieve"), "");
  EXPECT_EQ(judged(".dovecot.sieve", "sieve/comes-later"), "");
  EXPECT_EQ(judged(".Alias", ".Sent"), "");
  EXPECT_EQ(judged(".Alias", "."), "");
  EXPECT_EQ(judged("sieve/active", "../.Sent/cur"), "");
  EXPECT_EQ(judged("cur/2.x:2,", "no/such/directory"), "");
}

TEST_F(JudgeLink, refuses_what_leaves_the_account) {
  for (const auto* target : {"/etc/passwd", "..", "../other", "./../a", ".Sent/../../other", ""})
    EXPECT_NE(judged(".Boss", target).find("leaves the account"), std::string::npos) << target;
  EXPECT_NE(judged("cur/2.x:2,", "../../other/cur/1.x:2,"), "");
}

TEST_F(JudgeLink, refuses_a_way_through_another_link) {
  root_.link("../other", "a/out").link(".Sent", "a/in");
  EXPECT_NE(judged(".Boss", "out/cur").find("through another link"), std::string::npos);
  EXPECT_NE(judged(".Boss", "in/cur").find("through another link"), std::string::npos);
}

TEST_F(JudgeLink, follows_a_row_of_links_to_its_end) {
  root_.link("../other", "a/out")
      .link(".Sent", "a/in")
      .link("in", "a/first")
      .link("out", "a/second")
      .link("loop", "a/loop");
  EXPECT_EQ(judged(".Boss", "first"), "");
  EXPECT_NE(judged(".Boss", "second").find("another link, which leaves"), std::string::npos);
  EXPECT_NE(judged(".Boss", "loop"), "");
}

TEST_F(JudgeLink, refuses_what_is_no_file_and_no_directory) {
  root_.fifo("a/fifo");
  EXPECT_NE(judged(".Boss", "fifo").find("fifo"), std::string::npos);
}

TEST_F(JudgeLink, looks_at_all_links_of_a_folder_that_gets_another_parent) {
  root_.maildir("a/x/y").link("../../../.Sent", "a/x/y/cur/l");
  const auto account = root_.open().open_directory("a").value();
  EXPECT_TRUE(judge_links_below(account, "x/y", "x/z"));
  EXPECT_TRUE(judge_links_below(account, "x/y", ".Sent/y"));
  const auto refused = judge_links_below(account, "x/y", ".y");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().path, ".y/cur/l");
}

}  // namespace
}  // namespace maildirsync::daemon
