#include "cli/report/drain_report.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

constexpr std::time_t k_now = 1'700'100'000;

Json verified(std::int64_t since, std::int64_t last, std::uint64_t waiting = 0) {
  Json root = {{"root", "vhosts"},   {"since", "then"},   {"since_unix", since},      {"messages", last == 0 ? 0 : 1},
               {"waiting", waiting}, {"last_unix", last}, {"domains", Json::array()}, {"named", Json::array()}};
  if (last != 0) {
    root["domains"].push_back({{"domain", "example.org"}, {"messages", 1}, {"last", "later"}, {"last_unix", last}});
    root["named"].push_back({{"account", "a@example.org"},
                             {"path", "new/1.x"},
                             {"came", "later"},
                             {"bytes", 1200},
                             {"where", waiting > 0 ? "waits" : "was-there"}});
  }
  return {{"equal", waiting == 0}, {"drained", {root}}};
}

TEST(DrainReport, is_safe_once_nothing_came_for_long_enough) {
  EXPECT_TRUE(is_safe(verified(k_now - 90'000, 0), k_now, 86'400));
  EXPECT_FALSE(is_safe(verified(k_now - 90'000, k_now - 80'000), k_now, 86'400));
  EXPECT_TRUE(is_safe(verified(k_now - 200'000, k_now - 90'000), k_now, 86'400));
  EXPECT_EQ(quiet_seconds(verified(k_now - 200'000, k_now - 90'000), k_now), 90'000);
}

TEST(DrainReport, is_never_safe_while_something_is_owed_or_nothing_is_drained) {
  EXPECT_FALSE(is_safe(verified(k_now - 200'000, k_now - 190'000, 1), k_now, 86'400));
  EXPECT_FALSE(is_safe({{"equal", true}, {"drained", Json::array()}}, k_now, 0));
}

TEST(DrainReport, says_of_each_message_where_it_is) {
  const std::string text = drain_report(verified(k_now - 200'000, k_now - 111'600), k_now, 86'400, Colour::off);
  for (const char* words :
       {"1 message came to the old server, all of it durable at the new one", "a@example.org",
        "was given; moved or removed by its user since", "example.org", "none for 31.0 h: safe to switch off"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  }
  const std::string owed = drain_report(verified(k_now - 200'000, k_now - 60, 1), k_now, 86'400, Colour::off);
  EXPECT_NE(owed.find("NOT THERE YET"), std::string::npos) << owed;
  EXPECT_NE(owed.find("not safe to switch off"), std::string::npos) << owed;
  const std::string early = drain_report(verified(k_now - 200'000, k_now - 3600), k_now, 86'400, Colour::off);
  EXPECT_NE(early.find("too early to switch off"), std::string::npos) << early;
}

}  // namespace
}  // namespace maildirsync::cli
