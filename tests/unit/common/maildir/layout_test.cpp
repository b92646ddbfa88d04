#include "common/maildir/layout.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::maildir {
namespace {

std::optional<std::string> name(std::string_view pattern, std::string_view path) {
  return Layout::parse(pattern)->account_name(path);
}

TEST(Layout, names_accounts_by_domain_and_local_part) {
  EXPECT_EQ(name("%d/%n/Maildir", "example.org/anna/Maildir"), "anna@example.org");
  EXPECT_EQ(name("%u", "anna@example.org"), "anna@example.org");
  EXPECT_EQ(name("%n/Maildir", "anna/Maildir"), "anna");
  EXPECT_EQ(name("%d/shared", "example.org/shared"), "example.org");
  EXPECT_EQ(name("*/%n@%d", "a/anna@b@example.org"), "anna@b@example.org");
  EXPECT_EQ(name("100%%/%u", "100%/anna"), "anna");
}

TEST(Layout, knows_no_account_in_a_path_that_does_not_fit) {
  EXPECT_EQ(name("%d/%n/Maildir", "example.org/anna"), std::nullopt);
  EXPECT_EQ(name("%d/%n/Maildir", "example.org/anna/mail"), std::nullopt);
  EXPECT_EQ(name("%d/%n/Maildir", "example.org/anna/Maildir/.Sent"), std::nullopt);
  EXPECT_EQ(name("%d/%n", ".hidden/anna"), std::nullopt);
  EXPECT_EQ(name("%u", "lost+found"), std::nullopt);
  EXPECT_EQ(name("%u", ""), std::nullopt);
}

TEST(Layout, matches_each_depth_by_itself) {
  const auto layout = Layout::parse("%d/%n/Maildir").value();
  EXPECT_EQ(layout.depth(), 3u);
  EXPECT_TRUE(layout.matches(0, "example.org"));
  EXPECT_FALSE(layout.matches(0, ".snapshots"));
  EXPECT_FALSE(layout.matches(1, "lost+found"));
  EXPECT_TRUE(layout.matches(2, "Maildir"));
  EXPECT_FALSE(layout.matches(2, "maildir"));
  EXPECT_FALSE(layout.matches(3, "anything"));
}

TEST(Layout, a_literal_may_begin_with_a_dot) {
  EXPECT_TRUE(Layout::parse("%u/.mail")->matches(1, ".mail"));
}

TEST(Layout, refuses_a_wrong_pattern_with_what_is_wrong) {
  for (const char* pattern : {"", "mail", "*", "%x", "%", "%n/%n", "/%n", "%n/", "%n//x", "%n/..", "./%n"}) {
    const auto layout = Layout::parse(pattern);
    ASSERT_FALSE(layout) << pattern;
    EXPECT_EQ(layout.error().code, ErrorCode::config) << pattern;
    EXPECT_NE(layout.error().detail.find(pattern), std::string::npos) << layout.error().detail;
  }
}

RC_GTEST_PROP(Layout, gives_back_the_names_that_a_path_was_made_of, ()) {
  const auto part =
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcxyz019-_.+"))));
  const auto domain = *rc::gen::suchThat(part, [](const std::string& s) { return s[0] != '.' && s != "lost+found"; });
  const auto local = *rc::gen::suchThat(part, [](const std::string& s) { return s[0] != '.' && s != "lost+found"; });
  RC_ASSERT(name("%d/%n/Maildir", domain + "/" + local + "/Maildir") == local + "@" + domain);
  RC_ASSERT(name("%n@%d", local + "@" + domain) == local + "@" + domain);
}

TEST(Glob, matches_whole_names) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("*@example.org", "anna@example.org"));
  EXPECT_FALSE(glob_match("*@example.org", "anna@example.org.evil"));
  EXPECT_TRUE(glob_match("a?na*", "anna@x"));
  EXPECT_FALSE(glob_match("a?", "a"));
  EXPECT_FALSE(glob_match("Anna", "anna"));
  EXPECT_TRUE(glob_match("[a]", "[a]"));
  EXPECT_TRUE(glob_match("**a**b", "xxaxxb"));
}

TEST(Glob, takes_no_exponential_time) {
  std::string pattern;
  for (int i = 0; i < 50; ++i)
    pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(2000, 'a')));
}

RC_GTEST_PROP(Glob, star_takes_any_run, (const std::string& head, const std::string& middle, const std::string& tail)) {
  RC_ASSERT(glob_match("*", head));
  RC_PRE(head.find_first_of("*?") == std::string::npos && tail.find_first_of("*?") == std::string::npos);
  RC_ASSERT(glob_match(head + "*" + tail, head + middle + tail));
}

TEST(Included, is_what_some_include_names_and_no_exclude_does) {
  EXPECT_TRUE(is_included({"*"}, {}, "anna@x"));
  EXPECT_FALSE(is_included({}, {}, "anna@x"));
  EXPECT_FALSE(is_included({"*"}, {"anna@*"}, "anna@x"));
  EXPECT_TRUE(is_included({"b*", "anna@*"}, {"c*"}, "anna@x"));
}

}  // namespace
}  // namespace maildirsync::maildir
