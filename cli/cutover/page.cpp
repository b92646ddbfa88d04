#include "cli/cutover/page.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "cli/report/format.h"
#include "cli/report/html.h"

namespace maildirsync::cli {

namespace {

std::string fact(const char* name, const std::string& value) {
  if (value.empty()) return "";
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escape_html(value));
}

std::string seconds_of(const Json& object, const char* key) {
  const auto seconds = number_of(object, key);
  return seconds ? format_seconds(*seconds) : "";
}

std::string verdict_of(const Json& answer) {
  if (flag_of(answer, "rehearsed")) return "rehearsed";
  if (flag_of(answer, "complete")) return "complete";
  if (flag_of(answer, "undone_all") && text_of(answer, "stopped_at").empty()) return "undone";
  return "stopped at " + text_of(answer, "stopped_at");
}

std::string steps_html(const char* heading, const Json& steps) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& step : steps) {
    const std::string by = text_of(step, "by");
    rows.push_back({by.empty() ? text_of(step, "step") : text_of(step, "step") + " by " + by, text_of(step, "began"),
                    seconds_of(step, "elapsed_seconds"), text_of(step, "outcome"), text_of(step, "detail")});
  }
  return html_table(heading, {{"step"}, {"began"}, {"took", Cells::numbers}, {"outcome"}, {"detail", Cells::text}},
                    rows);
}

std::string comparison_of(const Json& verified) {
  if (verified.is_null()) return "";
  return fmt::format("{}: {}, {}, {}", flag_of(verified, "equal") ? "equal" : "not equal",
                     format_plural(count_of(verified, "accounts"), "account"),
                     format_plural(count_of(verified, "messages"), "message"),
                     format_bytes(number_of(verified, "bytes").value_or(0)));
}

std::string accounts_html(const Json& answer, const Json& status) {
  std::set<std::string> roots;
  for (const auto& root : list_of(answer, "roots")) {
    if (root.is_string()) roots.insert(root.get<std::string>());
  }
  const Json& moved = list_of(answer, "moved_accounts");
  const auto is_moved = [&](const Json& account) {
    return std::any_of(moved.begin(), moved.end(), [&](const Json& name) { return name == text_of(account, "name"); });
  };
  std::vector<std::vector<std::string>> rows;
  for (const auto& account : list_of(status, "accounts")) {
    if (moved.empty() ? !roots.contains(text_of(account, "root")) : !is_moved(account)) continue;
    rows.push_back({text_of(account, "name"), text_of(account, "root"), format_count(count_of(account, "folders")),
                    format_count(count_of(account, "messages")), format_bytes(number_of(account, "bytes").value_or(0)),
                    text_of(account, "state")});
  }
  return html_table("Accounts",
                    {{"account", Cells::text},
                     {"root"},
                     {"folders", Cells::numbers},
                     {"messages", Cells::numbers},
                     {"size", Cells::numbers},
                     {"state"}},
                    rows);
}

}  // namespace

std::string cutover_html(const Json& answer, const Json& status, const std::string& host) {
  const bool good = flag_of(answer, "complete") || flag_of(answer, "undone_all");
  std::string body =
      fmt::format("<p class=\"verdict {}\">{}</p>\n<dl>\n", good ? "good" : "bad", escape_html(verdict_of(answer)));
  body += fact("old server", host) + fact("new server", text_of(object_of(status, "peer"), "address"));
  body += fact("begun by", text_of(answer, "by")) + fact("begun at", text_of(answer, "began"));
  body += fact("took", seconds_of(answer, "elapsed_seconds"));
  body += fact("frozen for", seconds_of(answer, "window_seconds"));
  body += fact("compared", comparison_of(object_of(answer, "verified").empty() ? Json() : answer["verified"]));
  body += fact("why it stopped", text_of(answer, "detail")) + fact("left to do", text_of(answer, "remedy"));
  body += fact("maildirsync", text_of(answer, "version") + ", agent " + text_of(status, "version"));
  for (const auto& left_out : list_of(answer, "left_out"))
    body += fact("left out", left_out_text(left_out));
  body += "</dl>\n" + steps_html("Steps", list_of(answer, "steps")) + steps_html("Undone", list_of(answer, "undone"));
  body += accounts_html(answer, status);
  return html_page("maildirsync: a cutover's record", body);
}

}  // namespace maildirsync::cli
