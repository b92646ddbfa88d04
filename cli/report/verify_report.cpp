#include "cli/report/verify_report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cli/report/drain_report.h"
#include "cli/report/html.h"

namespace maildirsync::cli {

namespace {

constexpr std::array<std::pair<const char*, const char*>, 5> k_columns{
    {{"kind", "KIND"}, {"account", "ACCOUNT"}, {"folder", "FOLDER"}, {"name", "NAME"}, {"detail", "DETAIL"}}};

std::string counts_text(const Json& answer) {
  return fmt::format("{}, {}, {}, {}", format_plural(count_of(answer, "accounts"), "account"),
                     format_plural(count_of(answer, "folders"), "folder"),
                     format_plural(count_of(answer, "messages"), "message"),
                     format_bytes(static_cast<double>(count_of(answer, "bytes"))));
}

const char* depth_text(const Json& answer) {
  return flag_of(answer, "deep") ? "with the contents of both sides"
                                 : "by names, flags, sizes, times, owners, modes and control files";
}

std::string repaired_text(const Json& answer) {
  const std::uint64_t repaired = count_of(answer, "repaired");
  std::string text = answer.contains("repaired") ? fmt::format("{} repaired", format_count(repaired)) : "";
  if (answer.contains("aside")) text += fmt::format(", {} put aside", format_count(count_of(answer, "aside")));
  return text;
}

std::string verdict_text(const Json& answer) {
  if (flag_of(answer, "equal")) return "equal";
  const std::size_t count = list_of(answer, "differences").size();
  return count == 0 ? "not equal: the comparison is incomplete" : "not equal: " + format_plural(count, "difference");
}

std::string fact(const char* name, const std::string& value) {
  return value.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escape_html(value));
}

std::string differences_html(const Json& differences) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& difference : differences) {
    rows.emplace_back();
    for (const auto& [key, title] : k_columns)
      rows.back().push_back(text_of(difference, key));
  }
  return html_table("Differences", {{"kind"}, {"account"}, {"folder"}, {"name", Cells::text}, {"detail", Cells::text}},
                    rows);
}

}  // namespace

std::string extra_text(const Json& answer) {
  const Json& differences = list_of(answer, "differences");
  std::uint64_t movable = 0, others = 0;
  for (const auto& one : differences) {
    if (text_of(one, "kind") != "extra") continue;
    // An agent of an earlier release does not say.
    const bool is_movable = !one.contains("can_be_put_aside") || flag_of(one, "can_be_put_aside");
    ++(is_movable ? movable : others);
  }
  std::string text;
  if (movable > 0) {
    text = fmt::format(
        "{} at the destination only: the mirror leaves it there. Once you have looked at it, "
        "maildirsync verify --repair --aside-extra moves it into the trash there",
        format_plural(movable, "difference") + (movable == 1 ? " is" : " are"));
  }
  if (others > 0) {
    text += fmt::format(
        "{}{} at the destination only and no command moves {} away: a whole account, what users have in a drained "
        "root, "
        "what is held or refused (maildirsync status says why), or a root without a trash. Look at it there",
        text.empty() ? "" : "; ", format_plural(others, "difference") + (others == 1 ? " is" : " are"),
        others == 1 ? "it" : "them");
  }
  return text;
}

std::string verify_text(const Json& answer, Colour colour) {
  std::string text;
  const Json& differences = list_of(answer, "differences");
  if (!differences.empty()) {
    std::vector<Table::Column> columns;
    for (const auto& [key, title] : k_columns)
      columns.push_back({title});
    Table table(std::move(columns));
    for (const auto& difference : differences) {
      std::vector<Table::Cell> cells;
      for (const auto& [key, title] : k_columns)
        cells.push_back({text_of(difference, key)});
      cells.front().style = Style::bad;
      table.add(std::move(cells));
    }
    text += table.text(colour) + '\n';
  }
  for (const auto& left_out : list_of(answer, "left_out"))
    text += "left out: " + left_out_text(left_out) + '\n';
  if (const auto extra = extra_text(answer); !extra.empty()) text += extra + '\n';
  text += drained_text(answer);
  const std::string repaired = repaired_text(answer);
  text += paint(colour, flag_of(answer, "equal") ? Style::good : Style::bad, verdict_text(answer));
  text += fmt::format("; {} compared {} in {}{}\n", counts_text(answer), depth_text(answer),
                      format_seconds(number_of(answer, "elapsed_seconds").value_or(0)),
                      repaired.empty() ? "" : "; " + repaired);
  return text;
}

std::string verify_html(const Json& answer, const Compared& compared) {
  std::string body = fmt::format("<p class=\"verdict {}\">{}</p>\n<dl>\n", flag_of(answer, "equal") ? "good" : "bad",
                                 escape_html(verdict_text(answer)));
  body += fact("source", compared.source) + fact("destination", compared.destination);
  body += fact("accounts", compared.accounts.empty() ? "all" : compared.accounts);
  body += fact("time", compared.time);
  body += fact("took", format_seconds(number_of(answer, "elapsed_seconds").value_or(0)));
  body += fact("compared", counts_text(answer) + ", " + depth_text(answer));
  body += fact("repaired", answer.contains("repaired") ? format_count(count_of(answer, "repaired")) : "");
  body += fact("put aside", answer.contains("aside") ? format_count(count_of(answer, "aside")) : "");
  for (const auto& left_out : list_of(answer, "left_out"))
    body += fact("left out", left_out_text(left_out));
  body += "</dl>\n" + differences_html(list_of(answer, "differences"));
  return html_page("maildirsync: source and destination compared", body);
}

}  // namespace maildirsync::cli
