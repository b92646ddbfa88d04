#include "cli/report/plan_report.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/report/html.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_shown_accounts = 40;
constexpr std::size_t k_shown_left_out = 40;

std::string bytes_of(const Json& object, const char* key) {
  return format_bytes(static_cast<double>(count_of(object, key)));
}

std::string seconds_of(const Json& object, const char* key) {
  return format_seconds(number_of(object, key).value_or(0));
}

std::string joined(const Json& object, std::initializer_list<const char*> keys) {
  std::string text;
  for (const char* key : keys) {
    if (const std::string value = text_of(object, key); !value.empty()) text += (text.empty() ? "" : ": ") + value;
  }
  return text;
}

/// The accounts, the largest first.
std::vector<const Json*> by_size(const Json& answer) {
  std::vector<const Json*> accounts;
  for (const auto& account : list_of(answer, "accounts"))
    accounts.push_back(&account);
  std::stable_sort(accounts.begin(), accounts.end(), [](const Json* left, const Json* right) {
    return count_of(*left, "bytes") > count_of(*right, "bytes");
  });
  return accounts;
}

constexpr std::array k_columns{"account", "root",          "folders",         "messages",
                               "size",    "control files", "biggest message", "left out"};
constexpr std::size_t k_word_columns = 2;  ///< of them; numbers follow

std::array<std::string, k_columns.size()> row(const Json& account) {
  return {text_of(account, "name"),
          text_of(account, "root"),
          format_count(count_of(account, "folders")),
          format_count(count_of(account, "messages")),
          bytes_of(account, "bytes"),
          format_count(count_of(account, "control_files")),
          bytes_of(object_of(account, "biggest_message"), "bytes"),
          format_count(count_of(account, "left_out"))};
}

std::string verdict(const Json& answer) {
  const std::size_t count = list_of(answer, "to_do").size();
  return flag_of(answer, "ready") ? "ready"
                                  : fmt::format("not ready: {} to put right first", format_plural(count, "thing"));
}

std::string trash_sentence(const Json& trash) {
  const auto files = count_of(trash, "files");
  const std::string oldest = text_of(trash, "oldest");
  const std::string there = fmt::format("{}, {} in it{}, counted as used", format_plural(files, "file"),
                                        bytes_of(trash, "bytes"), oldest.empty() ? "" : " since " + oldest);
  if (const auto days = count_of(trash, "days"); days > 0) {
    return fmt::format("what is deleted in masses takes its space at the destination for {} more; {}",
                       format_plural(days, "day"), there);
  }
  return "none (trash_days = 0)" + (files > 0 ? "; " + there : "");
}

/// What was found, one fact a line.
std::vector<std::pair<std::string, std::string>> facts(const Json& answer) {
  std::vector<std::pair<std::string, std::string>> facts;
  const Json& totals = object_of(answer, "totals");
  facts.emplace_back(
      "source",
      fmt::format("{}, {}, {}, {}; {} of {}", format_plural(count_of(totals, "accounts"), "account"),
                  format_plural(count_of(totals, "folders"), "folder"),
                  format_plural(count_of(totals, "messages"), "message"), bytes_of(totals, "bytes"),
                  format_plural(count_of(totals, "control_files"), "control file"), bytes_of(totals, "control_bytes")));
  if (const auto acls = count_of(totals, "acls"); acls > 0) {
    facts.emplace_back("ACLs", fmt::format("{} with POSIX ACLs, which do not come along; their modes are narrowed",
                                           format_plural(acls, "file or directory", "files and directories")));
  }
  const Json& biggest = object_of(totals, "biggest_message");
  if (!biggest.empty()) {
    facts.emplace_back("biggest message", fmt::format("{}: {}, {}", bytes_of(biggest, "bytes"),
                                                      text_of(biggest, "account"), text_of(biggest, "path")));
  }
  for (const auto& space : list_of(answer, "space")) {
    std::string roots;
    for (const auto& root : list_of(space, "roots"))
      roots += (roots.empty() ? "" : ", ") + (root.is_string() ? root.get<std::string>() : "");
    facts.emplace_back("space for " + roots,
                       fmt::format("{} needed at the destination (+20 %), {} free, {} there already: {}",
                                   bytes_of(space, "needed_bytes"), bytes_of(space, "free_bytes"),
                                   bytes_of(space, "there_bytes"), flag_of(space, "enough") ? "enough" : "NOT ENOUGH"));
    if (const auto times = text_of(space, "times"); !times.empty()) facts.emplace_back("times of " + roots, times);
    for (const auto& trash : list_of(space, "trash"))
      facts.emplace_back("trash of " + text_of(trash, "root"), trash_sentence(trash));
  }
  const Json& watches = object_of(answer, "watches");
  const auto limit = number_of(watches, "limit");
  facts.emplace_back("watches",
                     fmt::format("{} needed, {}", format_count(count_of(watches, "needed")),
                                 limit ? fmt::format("the limit is {}: {}", format_count(count_of(watches, "limit")),
                                                     flag_of(watches, "enough") ? "enough" : "NOT ENOUGH")
                                       : "without a limit here"));
  const Json& owners = list_of(answer, "owners");
  const auto mapped =
      std::count_if(owners.begin(), owners.end(), [](const Json& one) { return flag_of(one, "mapped"); });
  facts.emplace_back("owners", flag_of(object_of(answer, "receiver"), "asked")
                                   ? fmt::format("{} of {} mapped at the destination", mapped, owners.size())
                                   : "not known: the receiver was not asked");
  const Json& expected = object_of(answer, "expected");
  facts.emplace_back("first copy", fmt::format("about {} for {}: {}", seconds_of(expected, "first_copy_seconds"),
                                               format_bytes(number_of(expected, "first_copy_bytes").value_or(0)),
                                               text_of(expected, "how")));
  facts.emplace_back("in the window",
                     fmt::format("about {} for the flush, {} for the verification, without what changes: {}",
                                 seconds_of(expected, "flush_seconds"), seconds_of(expected, "verify_seconds"),
                                 text_of(expected, "how_window")));
  facts.emplace_back("left out", format_plural(count_of(answer, "left_out_count"), "file"));
  return facts;
}

/// "5000 (vmail)", or only the number when nobody has that name.
std::string id_text(const Json& owner, const char* id, const char* name) {
  const std::string named = text_of(owner, name);
  return fmt::format("{}{}", count_of(owner, id), named.empty() ? "" : " (" + named + ")");
}

std::vector<std::vector<std::string>> rows_of(const Json& list, std::initializer_list<const char*> keys) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : list) {
    rows.emplace_back();
    for (const char* key : keys)
      rows.back().push_back(text_of(one, key));
  }
  return rows;
}

}  // namespace

std::string plan_text(const Json& answer, Colour colour) {
  std::string text;
  const auto accounts = by_size(answer);
  if (!accounts.empty()) {
    std::vector<Table::Column> columns;
    for (std::size_t i = 0; i < k_columns.size(); ++i) {
      std::string title = k_columns[i];
      std::transform(title.begin(), title.end(), title.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
      columns.push_back({title, i < k_word_columns ? Table::Align::left : Table::Align::right});
    }
    Table table(std::move(columns));
    for (std::size_t i = 0; i < std::min(accounts.size(), k_shown_accounts); ++i) {
      std::vector<Table::Cell> cells;
      for (auto& cell : row(*accounts[i]))
        cells.push_back({std::move(cell)});
      table.add(std::move(cells));
    }
    text += table.text(colour);
    if (accounts.size() > k_shown_accounts) {
      text += fmt::format("and {} smaller ones: --html or --json shows them\n",
                          format_count(accounts.size() - k_shown_accounts));
    }
    text += '\n';
  }
  for (const auto& [name, value] : facts(answer))
    text += fmt::format("{}: {}\n", name, value);
  std::size_t shown = 0;
  for (const auto& one : list_of(answer, "left_out")) {
    if (++shown > k_shown_left_out) {
      text += "  and more: --html or --json shows them\n";
      break;
    }
    text += "  " + joined(one, {"account", "path", "detail"}) + '\n';
  }
  const Json& to_do = list_of(answer, "to_do");
  if (!to_do.empty()) text += '\n' + paint(colour, Style::strong, "To put right first:") + '\n';
  for (const auto& one : to_do) {
    text += fmt::format("- {}: {}\n  {}\n", paint(colour, Style::bad, text_of(one, "code")),
                        joined(one, {"root", "account", "path", "detail"}), text_of(one, "remedy"));
  }
  text += '\n' + paint(colour, flag_of(answer, "ready") ? Style::good : Style::bad, verdict(answer)) + '\n';
  return text;
}

std::string plan_html(const Json& answer, const PlanHead& head) {
  std::string body = fmt::format("<p class=\"verdict {}\">{}</p>\n", flag_of(answer, "ready") ? "good" : "bad",
                                 escape_html(verdict(answer)));
  const auto fact = [](const std::string& name, const std::string& value) {
    return fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), escape_html(value));
  };
  body += "<dl>\n" + fact("from", head.source) + fact("to", text_of(object_of(answer, "receiver"), "address"));
  body += fact("accounts", head.accounts.empty() ? "all" : head.accounts) + fact("time", head.time);
  for (const auto& [name, value] : facts(answer))
    body += fact(name, value);
  body += "</dl>\n";
  body += html_table(
      "To put right first",
      {{"code"}, {"root"}, {"account"}, {"path", Cells::text}, {"detail", Cells::text}, {"remedy", Cells::text}},
      rows_of(list_of(answer, "to_do"), {"code", "root", "account", "path", "detail", "remedy"}));
  std::vector<std::vector<std::string>> owners;
  for (const auto& owner : list_of(answer, "owners")) {
    owners.push_back({text_of(owner, "root"), id_text(owner, "uid", "user"), id_text(owner, "gid", "group"),
                      flag_of(owner, "mapped") ? "yes" : text_of(owner, "detail")});
  }
  body += html_table("Owners", {{"root"}, {"user"}, {"group"}, {"mapped", Cells::text}}, owners);
  body += html_table("Left out", {{"code"}, {"account"}, {"path", Cells::text}, {"detail", Cells::text}},
                     rows_of(list_of(answer, "left_out"), {"code", "account", "path", "detail"}));
  std::vector<std::vector<std::string>> accounts;
  for (const Json* account : by_size(answer)) {
    auto cells = row(*account);
    accounts.emplace_back(std::make_move_iterator(cells.begin()), std::make_move_iterator(cells.end()));
  }
  std::vector<HtmlColumn> columns;
  for (std::size_t i = 0; i < k_columns.size(); ++i)
    columns.push_back({k_columns[i], i < k_word_columns ? Cells::words : Cells::numbers});
  body += html_table("Accounts", columns, accounts);
  return html_page("maildirsync: plan of a migration", body);
}

}  // namespace maildirsync::cli
