#include "cli/cutover/obstacles.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

Json live() {
  return {{"state", "live"},
          {"peer", {{"connected", true}}},
          {"roots", {{{"name", "vhosts"}, {"mode", "mirror"}}}},
          {"problems", Json::array()}};
}

Json with_problem(const char* code, const char* account = "a@example.org") {
  Json status = live();
  status["problems"].push_back({{"code", code}, {"root", "vhosts"}, {"account", account}, {"detail", "for a reason"}});
  return status;
}

TEST(CutoverObstacles, nothing_is_in_the_way_of_a_live_mirror) {
  EXPECT_EQ(obstacle(live()), "");
  EXPECT_EQ(standing_problem(live()), "");
}

TEST(CutoverObstacles, an_agent_in_no_state_for_it) {
  for (const auto& [state, word] : {std::pair("paused", "maildirsync resume"), std::pair("held", "maildirsync release"),
                                    std::pair("blocked", "cannot be read or written")}) {
    Json status = live();
    status["state"] = state;
    EXPECT_NE(obstacle(status).find(word), std::string::npos) << state;
  }
  Json away = live();
  away["peer"]["connected"] = false;
  EXPECT_NE(obstacle(away).find("not connected"), std::string::npos);
  Json drained = live();
  drained["roots"][0]["mode"] = "drain";
  EXPECT_NE(obstacle(drained).find("vhosts is drained already"), std::string::npos);
}

TEST(CutoverObstacles, a_problem_stands_with_its_remedy) {
  const std::string conflict = standing_problem(with_problem("conflict"));
  EXPECT_NE(conflict.find("conflict: vhosts: a@example.org: for a reason"), std::string::npos) << conflict;
  EXPECT_NE(conflict.find("move the other file away"), std::string::npos) << conflict;
  EXPECT_NE(standing_problem(with_problem("stale-index")).find("opened 1 account before the time (a@example.org)"),
            std::string::npos);
  EXPECT_NE(standing_problem(with_problem("something-new")), "");
}

TEST(CutoverObstacles, what_is_no_mail_stands_in_no_way) {
  for (const char* code : {"special-file", "acl-left-behind", "unwatched", "cutover-open"})
    EXPECT_EQ(standing_problem(with_problem(code)), "") << code;
  EXPECT_NE(standing_problem(with_problem("special-file", "")), "");
}

TEST(CutoverObstacles, a_window_must_hold_the_flush_and_the_comparison) {
  EXPECT_EQ(too_short(100, 200, 0), "");
  EXPECT_EQ(too_short(1, 2, 4), "");
  EXPECT_NE(too_short(2, 2, 4), "");
}

}  // namespace
}  // namespace maildirsync::cli
