#include "cli/report/health.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

Json agent(const std::string& state = "live") {
  return {{"role", "agent"},
          {"state", state},
          {"lag_seconds", 0.0},
          {"pending", {{"messages", 0}}},
          {"refused", {{"messages", 0}, {"others", 0}, {"oldest_seconds", nullptr}}},
          {"peer", {{"address", "new.example.org:4465"}, {"connected", true}}},
          {"roots", Json::array()},
          {"problems", Json::array()}};
}

Json receiver(bool connected, double since) {
  return {{"role", "receiver"},
          {"state", connected ? "live" : "waiting"},
          {"peers", {{{"name", "old-server"}, {"connected", connected}, {"since_seconds", since}}}},
          {"problems", Json::array()}};
}

std::string line(const Json& status) {
  return summary_line(status, {});
}

TEST(Health, an_agent_with_nothing_to_do_is_fine) {
  EXPECT_EQ(exit_status(agent(), {}), 0);
  EXPECT_EQ(line(agent()),
            "MAILDIRSYNC OK - live, lag 0.0 s, 0 messages pending | lag=0.0s;60;300;0 pending=0 refused=0");
}

TEST(Health, what_only_the_destination_has_is_told_and_hinders_nothing) {
  Json status = agent();
  status["extra"] = 0;
  EXPECT_EQ(line(status), line(agent()));
  status["extra"] = 12;
  EXPECT_EQ(exit_status(status, {}), 0);
  EXPECT_NE(line(status).find("OK - live, lag 0.0 s, 0 messages pending, 12 files at the destination only |"),
            std::string::npos)
      << line(status);
}

TEST(Health, what_is_refused_is_the_reason_of_the_lag) {
  Json status = agent();
  status["lag_seconds"] = 10'800.0;
  status["refused"] = {{"messages", 46}, {"others", 0}, {"oldest_seconds", 10'800.0}};
  EXPECT_EQ(exit_status(status, {}), 2);
  EXPECT_NE(line(status).find("lag 3.0 h for 46 messages that are refused"), std::string::npos) << line(status);
  EXPECT_NE(line(status).find(" refused=46"), std::string::npos);
  status["refused"] = {{"messages", 1}, {"others", 0}, {"oldest_seconds", 10'800.0}};
  EXPECT_NE(line(status).find("for 1 message that is refused"), std::string::npos) << line(status);
  status["refused"] = {{"messages", 0}, {"others", 2}, {"oldest_seconds", 10'800.0}};
  EXPECT_NE(line(status).find("for 2 files or folders that are refused"), std::string::npos) << line(status);
}

TEST(Health, a_lag_of_other_changes_is_told_apart_from_what_is_refused) {
  Json status = agent();
  status["lag_seconds"] = 10'800.0;
  status["refused"] = {{"messages", 46}, {"others", 0}, {"oldest_seconds", 60.0}};
  EXPECT_NE(line(status).find("lag 3.0 h, 46 messages are refused for 60.0 s"), std::string::npos) << line(status);
  status["lag_seconds"] = nullptr;
  EXPECT_NE(line(status).find("lag not known yet, 46 messages are refused for 60.0 s"), std::string::npos);
}

TEST(Health, a_root_that_cannot_be_used_is_critical) {
  EXPECT_EQ(exit_status(agent("blocked"), {}), 2);
  EXPECT_EQ(exit_status(agent("held"), {}), 2);
  EXPECT_EQ(exit_status(agent("connecting"), {}), 2);
  Json status = receiver(true, 5);
  status["state"] = "blocked";
  EXPECT_EQ(exit_status(status, {}), 2);
}

TEST(Health, the_kinds_of_problems_are_counted_and_not_more_than_fit_a_line) {
  Json status = agent();
  const auto add = [&](const char* code, int count) {
    for (int i = 0; i < count; ++i)
      status["problems"].push_back({{"code", code}, {"account", "a@x"}, {"detail", "d"}});
  };
  add("permission", 2);
  EXPECT_NE(line(status).find(", 2 problems (permission)"), std::string::npos) << line(status);
  add("conflict", 7);
  add("mass-deletion", 1);
  add("bad-name", 1);
  add("special-file", 1);
  EXPECT_EQ(exit_status(status, {}), 1);
  EXPECT_NE(line(status).find(", 12 problems (1 mass-deletion, 7 conflict, 2 permission, 2 more kinds)"),
            std::string::npos)
      << line(status);
  status["problems_count"] = 70'000;
  EXPECT_NE(line(status).find(", 70,000 problems ("), std::string::npos) << line(status);
}

TEST(Health, a_receiver_warns_when_an_agent_is_away_for_a_minute) {
  EXPECT_EQ(exit_status(receiver(true, 1000), {}), 0);
  EXPECT_EQ(exit_status(receiver(false, 59), {}), 0);
  EXPECT_EQ(exit_status(receiver(false, 60), {}), 1);
  EXPECT_EQ(exit_status(receiver(false, 5), {.warn_lag = 2, .crit_lag = std::nullopt}), 1);
  EXPECT_EQ(line(receiver(false, 240)),
            "MAILDIRSYNC WARNING - waiting, 0 of 1 agent connected, old-server away for 4 min | agents=0");
  Json older = receiver(false, 0);  // does not say since when
  older["peers"][0].erase("since_seconds");
  EXPECT_EQ(exit_status(older, {}), 0);
}

TEST(Health, accounts_that_match_nothing_are_a_warning) {
  Json status = agent();
  status["account_glob"] = "ceo@*";
  status["accounts"] = Json::array();
  EXPECT_EQ(exit_status(status, {}), 1);
  EXPECT_NE(line(status).find("no account matches 'ceo@*'"), std::string::npos);
  status["accounts"].push_back({{"name", "ceo@x"}});
  EXPECT_EQ(exit_status(status, {}), 0);
}

}  // namespace
}  // namespace maildirsync::cli
