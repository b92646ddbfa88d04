#include "cli/cutover/obstacles.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

const std::vector<std::string> k_roots{"vhosts"};

Json live() {
  return {{"state", "live"},
          {"peer", {{"connected", true}}},
          {"roots",
           {{{"name", "vhosts"}, {"mode", "mirror"}, {"state", "live"}},
            {{"name", "second"}, {"mode", "mirror"}, {"state", "live"}}}},
          {"problems", Json::array()}};
}

Json with_problem(const char* code, const char* account = "a@example.org") {
  Json status = live();
  status["problems"].push_back({{"code", code}, {"root", "vhosts"}, {"account", account}, {"detail", "for a reason"}});
  return status;
}

TEST(CutoverObstacles, nothing_is_in_the_way_of_a_live_mirror) {
  EXPECT_EQ(obstacle(live(), k_roots), "");
  EXPECT_EQ(standing_problem(live(), k_roots), "");
}

TEST(CutoverObstacles, an_agent_in_no_state_for_it) {
  for (const auto& [state, word] : {std::pair("paused", "maildirsync resume"), std::pair("held", "maildirsync release"),
                                    std::pair("blocked", "cannot be read or written")}) {
    Json status = live();
    status["state"] = status["roots"][0]["state"] = state;
    EXPECT_NE(obstacle(status, k_roots).find(word), std::string::npos) << state;
  }
  Json away = live();
  away["peer"]["connected"] = false;
  EXPECT_NE(obstacle(away, k_roots).find("not connected"), std::string::npos);
  Json drained = live();
  drained["roots"][0]["mode"] = drained["roots"][1]["mode"] = "drain";
  EXPECT_NE(obstacle(drained, k_roots).find("vhosts is drained already"), std::string::npos);
}

TEST(CutoverObstacles, a_problem_stands_with_its_remedy) {
  const std::string conflict = standing_problem(with_problem("conflict"), k_roots);
  EXPECT_NE(conflict.find("conflict: vhosts: a@example.org: for a reason"), std::string::npos) << conflict;
  EXPECT_NE(conflict.find("move the other file away"), std::string::npos) << conflict;
  EXPECT_NE(
      standing_problem(with_problem("stale-index"), k_roots).find("opened 1 account before the time (a@example.org)"),
      std::string::npos);
  EXPECT_NE(standing_problem(with_problem("something-new"), k_roots), "");
}

TEST(CutoverObstacles, of_some_accounts_only_their_own_problems_count_and_those_of_the_root) {
  const std::vector<std::string> mine{"b@example.org"};
  EXPECT_EQ(standing_problem(with_problem("conflict"), k_roots, mine), "");
  EXPECT_NE(standing_problem(with_problem("conflict", "b@example.org"), k_roots, mine), "");
  EXPECT_EQ(standing_problem(with_problem("mail-left-out", ""), k_roots, mine), "");
  EXPECT_NE(standing_problem(with_problem("root-gone", ""), k_roots, mine), "");
  Json held = live();
  held["roots"][0]["state"] = "held";
  EXPECT_EQ(obstacle(held, k_roots, mine), "");
}

TEST(CutoverObstacles, what_is_no_mail_stands_in_no_way) {
  for (const char* code : {"special-file", "acl-left-behind", "unwatched", "cutover-open"})
    EXPECT_EQ(standing_problem(with_problem(code), k_roots), "") << code;
  EXPECT_NE(standing_problem(with_problem("special-file", ""), k_roots), "");
}

TEST(CutoverObstacles, what_is_of_another_group_stands_in_no_way) {
  Json status = with_problem("conflict");
  status["state"] = status["roots"][0]["state"] = "held";
  EXPECT_EQ(obstacle(status, {"second"}), "");
  EXPECT_EQ(standing_problem(status, {"second"}), "");
  status["problems"][0]["root"] = "";
  EXPECT_NE(standing_problem(status, {"second"}), "");
}

TEST(CutoverObstacles, a_group_that_has_moved_is_not_to_be_mirrored_again) {
  Json status = live();
  status["roots"][0]["mode"] = "drain";
  EXPECT_EQ(obstacle(status, {"second"}), "");
  const std::string why = obstacle(status, {"vhosts", "second"});
  EXPECT_NE(why.find("to cut over those that are not, name them: --group second"), std::string::npos) << why;
  EXPECT_EQ(why.find("maildirsync mirror"), std::string::npos) << why;
}

TEST(CutoverObstacles, a_window_must_hold_the_flush_and_the_comparison) {
  EXPECT_EQ(too_short(100, 200, 0), "");
  EXPECT_EQ(too_short(1, 2, 4), "");
  EXPECT_NE(too_short(2, 2, 4), "");
}

TEST(CutoverObstacles, a_root_that_no_release_lets_go_is_said_with_its_cause) {
  for (const auto* const code : {"destination-overlaps", "decisions-lost", "foreign-agent"}) {
    Json status = live();
    status["roots"][0]["state"] = "held";
    status["problems"] = {{{"code", code}, {"root", "vhosts"}, {"account", ""}, {"detail", "why it is so"}}};
    const std::string said = obstacle(status, k_roots);
    EXPECT_NE(said.find(code), std::string::npos) << said;
    EXPECT_NE(said.find("why it is so"), std::string::npos) << said;
    EXPECT_EQ(said.find("release"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace maildirsync::cli
