#include "cli/report/plan_report.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

Json answer() {
  return Json::parse(R"({
    "ready": false,
    "accounts": [{"root": "r", "name": "small@x", "folders": 1, "messages": 1, "bytes": 10},
                 {"root": "r", "name": "<big>@x", "folders": 2, "messages": 5, "bytes": 5000, "left_out": 1}],
    "totals": {"accounts": 2, "folders": 3, "messages": 6, "bytes": 5010, "control_files": 4, "control_bytes": 40},
    "space": [{"roots": ["r"], "needed_bytes": 6000, "free_bytes": 10, "there_bytes": 0, "enough": false}],
    "watches": {"needed": 9, "limit": 8192, "enough": true},
    "owners": [{"root": "r", "uid": 5, "gid": 6, "user": "u", "group": "g", "mapped": false, "detail": "nobody"}],
    "left_out": [{"code": "special-file", "account": "<big>@x", "path": "cur/s", "detail": "it is a socket"}],
    "left_out_count": 1,
    "expected": {"first_copy_seconds": 60, "first_copy_bytes": 5010, "how": "assumed"},
    "receiver": {"address": "new:4465", "asked": true},
    "to_do": [{"code": "no-space", "root": "r", "detail": "too little", "remedy": "make space"}]
  })");
}

TEST(PlanReport, text_has_the_largest_account_first_and_each_remedy) {
  const std::string text = plan_text(answer(), Colour::off);
  EXPECT_LT(text.find("<big>@x"), text.find("small@x")) << text;
  for (const char* part : {"not ready: 1 thing to put right first", "NOT ENOUGH", "0 of 1 mapped", "it is a socket",
                           "no-space", "make space", "assumed"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(PlanReport, the_trash_has_a_line_of_its_own) {
  auto plan = answer();
  plan["space"][0]["trash"] = Json::parse(R"([
    {"root": "r", "days": 14, "files": 30, "bytes": 2048, "oldest": "2026-11-14"},
    {"root": "s", "days": 0, "files": 0, "bytes": 0, "oldest": null}])");
  const std::string text = plan_text(plan, Colour::off);
  EXPECT_NE(text.find("trash of r: what is deleted in masses takes its space at the destination for 14 days more; 30 "
                      "files, 2.0 KiB in it since 2026-11-14, counted as used\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("trash of s: none (trash_days = 0)\n"), std::string::npos) << text;
  EXPECT_NE(plan_html(plan, {}).find("trash of r"), std::string::npos);
}

TEST(PlanReport, a_page_has_no_markup_from_names) {
  const std::string html = plan_html(answer(), {"old", "", "2026-01-01T00:00:00Z"});
  EXPECT_EQ(html.find("<big>"), std::string::npos);
  EXPECT_NE(html.find("&lt;big&gt;@x"), std::string::npos);
  EXPECT_EQ(html.find("http"), html.find("http-equiv"));
}

TEST(PlanReport, an_answer_without_anything_is_no_reason_to_fail) {
  EXPECT_NE(plan_text(Json::object(), Colour::off).find("not ready"), std::string::npos);
  EXPECT_NE(plan_html(Json::object(), {}).find("not ready"), std::string::npos);
}

}  // namespace
}  // namespace maildirsync::cli
