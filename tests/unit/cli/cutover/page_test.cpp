#include "cli/cutover/page.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

TEST(CutoverPage, has_who_when_each_step_and_each_account) {
  const Json answer = {{"complete", true},
                       {"by", "alice"},
                       {"began", "2026-11-29T02:00:00Z"},
                       {"roots", {"first"}},
                       {"window_seconds", 12.0},
                       {"verified", {{"equal", true}, {"accounts", 1}, {"messages", 3}, {"bytes", 100}}},
                       {"steps",
                        {{{"step", "freeze"},
                          {"began", "2026-11-29T02:00:09Z"},
                          {"elapsed_seconds", 2.0},
                          {"outcome", "done"},
                          {"detail", "<b>"}}}}};
  const Json status = {{"version", "0.1.0"},
                       {"accounts",
                        {{{"name", "a@example.org"}, {"root", "first"}, {"messages", 3}},
                         {{"name", "b@example.org"}, {"root", "second"}, {"messages", 4}}}}};
  const std::string page = cutover_html(answer, status, "old.example.org");
  for (const char* words : {"complete", "alice", "2026-11-29T02:00:00Z", "old.example.org", "freeze", "&lt;b&gt;",
                            "equal: 1 account, 3 messages", "a@example.org", "12.0 s"}) {
    EXPECT_NE(page.find(words), std::string::npos) << words;
  }
  EXPECT_EQ(page.find("b@example.org"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
}

TEST(CutoverPage, says_what_is_left_to_do) {
  const std::string page =
      cutover_html({{"complete", false}, {"stopped_at", "switch"}, {"remedy", "do this"}}, {}, "old");
  EXPECT_NE(page.find("stopped at switch"), std::string::npos);
  EXPECT_NE(page.find("do this"), std::string::npos);
}

}  // namespace
}  // namespace maildirsync::cli
