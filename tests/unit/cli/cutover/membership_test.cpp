#include "cli/cutover/membership.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

Json answer() {
  return Json::parse(R"({
    "roots": [
      {"name": "vhosts", "mode": "mirror", "path": "/m", "include_file": "", "exclude_file": "/l"},
      {"name": "other", "mode": "mirror", "path": "/n", "include_file": "", "exclude_file": "/l"},
      {"name": "moved", "mode": "drain", "path": "/m", "include_file": "/l", "exclude_file": ""}],
    "accounts": [
      {"name": "a", "root": "vhosts", "complete": true, "there": false},
      {"name": "b", "root": "vhosts", "complete": true, "there": false},
      {"name": "new", "root": "vhosts", "complete": false, "there": false},
      {"name": "far", "root": "other", "complete": true, "there": false},
      {"name": "gone", "root": "moved", "complete": true, "there": true}]})");
}

std::string refusal(const Json& of, const std::string& account, const std::string& to = "") {
  const auto planned = plan_move(of, {account}, to);
  return planned ? "" : planned.error();
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Membership, a_move_knows_where_accounts_are_and_where_they_go) {
  const auto move = plan_move(answer(), {"a", "b"}, "");
  ASSERT_TRUE(move) << move.error();
  EXPECT_EQ(move->roots, std::vector<std::string>{"vhosts"});
  EXPECT_EQ(move->to, "moved");
  EXPECT_EQ(move->list, "/l");
}

TEST(Membership, what_cannot_be_moved_is_refused_with_the_reason) {
  EXPECT_TRUE(says(refusal(answer(), "x"), "there is no account x"));
  EXPECT_TRUE(says(refusal(answer(), "new"), "not copied yet"));
  EXPECT_TRUE(says(refusal(answer(), "gone"), "has moved already"));
  EXPECT_TRUE(says(refusal(answer(), "far"), "another path"));
  EXPECT_TRUE(says(refusal(answer(), "a", "vhosts"), "takes no accounts that move"));
  EXPECT_TRUE(says(refusal(answer(), "a", "x"), "there is no root 'x'"));
}

TEST(Membership, the_root_where_an_account_is_must_let_it_go) {
  Json without = answer();
  without["roots"][0]["exclude_file"] = "";
  EXPECT_TRUE(says(refusal(without, "a"), "needs exclude_file = \"/l\""));
}

TEST(Membership, which_drained_root_is_said_where_there_are_several) {
  Json none = answer();
  none["roots"][2]["mode"] = "mirror";
  EXPECT_TRUE(says(refusal(none, "a"), "there is no root for accounts that have moved"));
  Json two = answer();
  two["roots"][1]["mode"] = "drain";
  two["roots"][1]["include_file"] = "/k";
  EXPECT_TRUE(says(refusal(two, "a"), "say which one with --to"));
  EXPECT_EQ(refusal(two, "a", "moved"), "");
}

}  // namespace
}  // namespace maildirsync::cli
