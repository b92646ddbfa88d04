#include "cli/report/status_text.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "cli/report/problem_groups.h"
#include "cli/report/remedy.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

enum class Kind { text, count, bytes, seconds, yes_no, states, refused };

struct Field {
  const char* key;
  const char* title;
  Kind kind;
  bool only_when_any = false;  ///< the column is left out while all of it is 0
};

// What matters at night first: the end of a long row is on another line of the screen.
constexpr std::array k_root_fields{Field{"name", "ROOT", Kind::text},
                                   Field{"mode", "MODE", Kind::text},
                                   Field{"state", "STATE", Kind::states},
                                   Field{"lag_seconds", "LAG", Kind::seconds},
                                   Field{"refused", "REFUSED", Kind::refused, true},
                                   Field{"pending_messages", "PENDING", Kind::count},
                                   Field{"accounts", "ACCOUNTS", Kind::count},
                                   Field{"messages", "MESSAGES", Kind::count},
                                   Field{"bytes", "SIZE", Kind::bytes},
                                   Field{"folders", "FOLDERS", Kind::count},
                                   Field{"unwatched_folders", "UNWATCHED", Kind::count, true},
                                   Field{"extra", "EXTRA", Kind::count, true},
                                   Field{"ok", "OK", Kind::yes_no},
                                   Field{"path", "PATH", Kind::text}};
constexpr std::array k_account_fields{Field{"name", "ACCOUNT", Kind::text},
                                      Field{"root", "ROOT", Kind::text},
                                      Field{"state", "STATE", Kind::text},
                                      Field{"problems", "PROBLEMS", Kind::count, true},
                                      Field{"refused", "REFUSED", Kind::refused, true},
                                      Field{"folders", "FOLDERS", Kind::count},
                                      Field{"messages", "MESSAGES", Kind::count},
                                      Field{"bytes", "SIZE", Kind::bytes},
                                      Field{"pending_messages", "PENDING", Kind::count}};
constexpr std::array k_peer_fields{Field{"name", "AGENT", Kind::text}, Field{"connected", "CONNECTED", Kind::yes_no},
                                   Field{"since_seconds", "FOR", Kind::seconds},
                                   Field{"connections", "CONNECTIONS", Kind::count},
                                   Field{"address", "ADDRESS", Kind::text}};

/// A root whose accounts are in several states says how many are in which.
std::string states_text(const Json& row) {
  const std::string state = text_of(row, "state");
  std::vector<std::pair<std::uint64_t, std::string>> counts;
  for (const auto& [name, count] : object_of(row, "states").items()) {
    counts.emplace_back(count_of(object_of(row, "states"), name.c_str()), os::printable(name));
  }
  if (counts.size() < 2) return state;
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& left, const auto& right) { return left.first > right.first; });
  std::string text = state == "paused" || state == "blocked" ? state + ": " : "";
  for (std::size_t i = 0; i < counts.size(); ++i)
    text += fmt::format("{}{} {}", i > 0 ? ", " : "", format_count(counts[i].first), counts[i].second);
  return text;
}

std::uint64_t refused_of(const Json& row) {
  const Json& refused = object_of(row, "refused");
  return count_of(refused, "messages") + count_of(refused, "others");
}

/// What only the destination has is not counted in a drained root: it is its users' own.
bool is_counted(const Json& row, const Field& field) {
  return std::string_view(field.key) != "extra" || text_of(row, "mode") != "drain";
}

std::string cell_text(const Json& row, const Field& field) {
  switch (field.kind) {
    case Kind::states:
      return states_text(row);
    case Kind::refused:
      return format_count(refused_of(row));
    case Kind::text:
      return text_of(row, field.key);
    case Kind::count:
      break;
    case Kind::bytes:
      return format_bytes(static_cast<double>(count_of(row, field.key)));
    case Kind::seconds: {
      const auto seconds = number_of(row, field.key);
      return seconds ? format_seconds(*seconds) : "?";
    }
    case Kind::yes_no:
      return flag_of(row, field.key) ? "yes" : "no";
  }
  if (!is_counted(row, field)) return "-";
  const std::uint64_t complete = count_of(row, "accounts_complete");
  const std::uint64_t count = count_of(row, field.key);
  if (std::string_view(field.key) == "accounts" && row.contains("accounts_complete") && complete < count) {
    return format_count(complete) + " of " + format_count(count);
  }
  return format_count(count);
}

Style style_of_state(const std::string& state) {
  if (state == "live" || state == "draining") return Style::good;
  return state == "held" || state == "connecting" || state == "blocked" ? Style::bad : Style::warning;
}

Style cell_style(const Json& row, const Field& field, const std::string& text) {
  const std::string_view key(field.key);
  if (key == "state") return style_of_state(text_of(row, "state"));
  if (key == "refused" && text != "0") return Style::bad;
  if ((key == "ok" || key == "connected") && text == "no") return Style::bad;
  if (key == "held" && text == "yes") return Style::bad;
  if (key == "unwatched_folders" && text != "0") return Style::warning;
  return Style::plain;
}

/// The columns that any row has a value for; an empty string without rows.
template <std::size_t size>
std::string rows_text(const Json& rows, const std::array<Field, size>& fields, Colour colour) {
  std::vector<Field> used;
  std::vector<Table::Column> columns;
  for (const auto& field : fields) {
    if (std::none_of(rows.begin(), rows.end(), [&](const Json& row) { return row.contains(field.key); })) continue;
    const bool all_nothing = std::all_of(rows.begin(), rows.end(), [&](const Json& row) {
      return cell_text(row, field) == "0" || !is_counted(row, field);
    });
    if (field.only_when_any && all_nothing) continue;
    used.push_back(field);
    const bool is_word = field.kind == Kind::text || field.kind == Kind::yes_no || field.kind == Kind::states;
    columns.push_back({field.title, is_word ? Table::Align::left : Table::Align::right});
  }
  if (used.empty()) return "";
  Table table(std::move(columns));
  for (const auto& row : rows) {
    std::vector<Table::Cell> cells;
    for (const auto& field : used) {
      std::string text = cell_text(row, field);
      const Style style = cell_style(row, field, text);
      cells.push_back({std::move(text), style});
    }
    table.add(std::move(cells));
  }
  return '\n' + table.text(colour);
}

std::string head_text(const Json& status) {
  std::string text = fmt::format("{} {}", text_of(status, "role"), text_of(status, "version"));
  const Json& peer = object_of(status, "peer");
  const std::string address = text_of(peer, "address");
  if (text_of(status, "role") == "receiver") {
    if (!address.empty()) text += ", " + address;
  } else {
    text += (flag_of(peer, "connected") ? ", connected to " : ", not connected to ") + address;
    const std::uint64_t connections = count_of(peer, "connections");
    if (connections > 0) text += " by " + format_plural(connections, "connection");
  }
  const Json& pending = object_of(status, "pending");
  if (const auto bytes = count_of(pending, "bytes"); bytes > 0) {
    text += fmt::format("; {} pending", format_bytes(static_cast<double>(bytes)));
  }
  return text + '\n';
}

/// Not a problem, for nothing is wrong with the mirror; but a person must have looked at it before the cutover.
std::string extra_text(const Json& status, Colour colour) {
  const std::string detail = text_of(status, "extra_detail");
  return detail.empty() ? "" : paint(colour, Style::warning, "extra: " + detail) + '\n';
}

std::string watcher_text(const Json& watcher) {
  if (watcher.empty()) return "";
  return fmt::format("watching by {} ({})\n", text_of(watcher, "backend"), text_of(watcher, "reason"));
}

/// Only where the time of the week decides.
std::string bandwidth_text(const Json& bandwidth) {
  const std::string by = text_of(bandwidth, "by");
  const std::string until = text_of(bandwidth, "until");
  if (by.empty() && until.empty()) return "";
  const std::uint64_t limit = count_of(bandwidth, "limit");
  return fmt::format("bandwidth: {} ({}{})\n",
                     limit == 0 ? "no limit" : format_bytes(static_cast<double>(limit)) + "/s",
                     by.empty() ? "no line of the schedule counts now" : by, until.empty() ? "" : "; until " + until);
}

std::string totals_text(const Json& totals) {
  std::string text;
  for (const auto& [key, value] : totals.items()) {
    const std::uint64_t count = count_of(totals, key.c_str());
    if (count == 0) continue;
    std::string words = os::printable(key);
    std::replace(words.begin(), words.end(), '_', ' ');
    const bool is_size = key.starts_with("bytes");
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", words,
                        is_size ? format_bytes(static_cast<double>(count)) : format_count(count));
  }
  return text.empty() ? "" : "totals: " + text + '\n';
}

std::string verified_text(const Json& verified) {
  if (verified.empty()) return "";
  return fmt::format("verified: {}, {}{}\n", text_of(verified, "at"),
                     flag_of(verified, "equal")
                         ? "equal"
                         : "not equal: " + format_plural(count_of(verified, "differences"), "difference"),
                     flag_of(verified, "deep") ? ", with the contents of both sides" : "");
}

std::string rates_text(const Rates& rates) {
  return fmt::format("rates: {:.1f} messages/s, {}/s of mail, {}/s on the wire\n", rates.messages,
                     format_bytes(rates.bytes_source), format_bytes(rates.bytes_wire));
}

std::string peers_text(const Json& peers, Colour colour) {
  std::string text = rows_text(peers, k_peer_fields, colour);
  for (const auto& peer : peers) {
    const Json& roots = list_of(peer, "roots");
    if (roots.empty()) continue;
    text += '\n' + paint(colour, Style::faint, "roots of " + text_of(peer, "name") + ":") +
            rows_text(roots, k_root_fields, colour);
  }
  return text;
}

/// Of the receiver: what lies in the trash of each root.
std::string trash_text(const Json& roots) {
  std::string text;
  for (const auto& root : roots) {
    const Json& trash = object_of(root, "trash");
    if (count_of(trash, "files") == 0) continue;
    text += fmt::format("trash of {}: {}, {}, since {}; each is kept for {} (maildirsync restore --list)\n",
                        text_of(root, "name"), format_plural(count_of(trash, "files"), "file"),
                        format_bytes(static_cast<double>(count_of(trash, "bytes"))), text_of(trash, "oldest"),
                        format_plural(count_of(trash, "days"), "day"));
  }
  return text.empty() ? "" : "\n" + text;
}

constexpr std::size_t k_columns = 80;     ///< of the overview: the screen on which a person looks at night
constexpr std::size_t k_most_kinds = 12;  ///< in the overview
constexpr std::size_t k_first_ones = 3;   ///< of each kind, without --all
constexpr std::size_t k_worst_accounts = 10;

std::string age_text(const std::optional<double>& seconds) {
  return seconds ? format_seconds(*seconds) : "";
}

Style style_of_code(const std::string& code) {
  return stops(code) ? Style::bad : Style::warning;
}

/// One line a kind, so that a screen shows them all: how many, since when, which account first, and why.
std::string overview_text(const Json& status, const std::vector<ProblemGroup>& groups, Colour colour) {
  Table table({{"KIND"}, {"COUNT", Table::Align::right}, {"FOR", Table::Align::right}, {"WORST"}, {"CAUSE"}});
  std::size_t used = 0;
  std::vector<std::array<std::string, 4>> rows;
  for (std::size_t i = 0; i < std::min(groups.size(), k_most_kinds); ++i) {
    const auto& group = groups[i];
    rows.push_back({group.code, format_count(group.problems.size()), age_text(group.oldest_seconds),
                    shortened(group.worst.empty() ? "-" : group.worst, 26)});
  }
  std::array<std::size_t, 4> widths{4, 5, 3, 5};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  for (const std::size_t width : widths)
    used += width + 2;
  const std::size_t left = used + 12 < k_columns ? k_columns - used : 12;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table.add({{rows[i][0], style_of_code(groups[i].code)},
               {rows[i][1]},
               {rows[i][2]},
               {rows[i][3]},
               {shortened(groups[i].cause, left)}});
  }
  std::string text = '\n' +
                     paint(colour, Style::strong,
                           fmt::format("PROBLEMS: {} of {}", format_count(problem_count(status)),
                                       format_plural(groups.size(), "kind"))) +
                     '\n' + table.text(colour);
  if (groups.size() > k_most_kinds) {
    text += fmt::format("and {}, below\n", format_plural(groups.size() - k_most_kinds, "more kind"));
  }
  return text;
}

std::string worst_accounts_text(const Json& problems, Colour colour) {
  const auto worst = worst_accounts(problems, k_worst_accounts);
  if (worst.size() < 2) return "";  // the overview has named it
  Table table(
      {{"WORST ACCOUNTS"}, {"ROOT"}, {"PROBLEMS", Table::Align::right}, {"FOR", Table::Align::right}, {"KINDS"}});
  for (const auto& account : worst) {
    std::string codes;
    for (const auto& code : account.codes)
      codes += (codes.empty() ? "" : ", ") + code;
    table.add(
        {{account.name}, {account.root}, {format_count(account.count)}, {age_text(account.oldest_seconds)}, {codes}});
  }
  return '\n' + table.text(colour);
}

/// Each code with its remedy once; below it each cause with the first ones that it concerns, or with all.
std::string problems_text(const std::vector<ProblemGroup>& groups, Problems shown, Colour colour) {
  std::string text;
  std::vector<std::string> told;
  bool left_some = false;
  for (const auto& first : groups) {
    if (std::find(told.begin(), told.end(), first.code) != told.end()) continue;
    told.push_back(first.code);
    text += '\n' + paint(colour, style_of_code(first.code), first.code);
    const std::string_view action = remedy(first.code);
    text += (action.empty() ? "" : fmt::format(": {}", action)) + '\n';
    for (const auto& group : groups) {
      if (group.code != first.code) continue;
      std::size_t count = 0;
      for (const Json* problem : group.problems) {
        if (++count > k_first_ones && shown == Problems::first_ones) {
          text += fmt::format("  … and {} more of this kind\n", format_count(group.problems.size() - k_first_ones));
          left_some = true;
          break;
        }
        std::string line;
        for (const char* key : {"root", "account", "path", "detail"}) {
          const std::string value = text_of(*problem, key);
          if (!value.empty()) line += (line.empty() ? "" : "  ") + value;
        }
        text += "  " + line + '\n';
      }
    }
  }
  if (left_some) text += "\nAll of them: maildirsync status --all\n";
  return text;
}

Style style_of_exit(int exit_status) {
  return exit_status == 0 ? Style::good : exit_status == 1 ? Style::warning : Style::bad;
}

}  // namespace

std::optional<Rates> rates_between(const Json& before, const Json& after, double seconds) {
  const Json& earlier = object_of(before, "totals");
  const Json& later = object_of(after, "totals");
  bool counted_anew = false;
  const auto rate = [&](const char* key) {
    const std::uint64_t from = count_of(earlier, key);
    const std::uint64_t to = count_of(later, key);
    counted_anew |= to < from;
    return static_cast<double>(to - from) / seconds;
  };
  if (seconds <= 0) return std::nullopt;
  const Rates rates{rate("messages_sent"), rate("bytes_source"), rate("bytes_wire")};
  if (counted_anew) return std::nullopt;
  return rates;
}

std::string status_text(const Json& status, const Thresholds& thresholds, const std::optional<Rates>& rates,
                        Problems shown, Colour colour) {
  const Json& problems = list_of(status, "problems");
  const auto groups = group_problems(problems);
  std::string text = paint(colour, style_of_exit(exit_status(status, thresholds)), summary_line(status, thresholds));
  text += "\n\n" + head_text(status) + extra_text(status, colour);
  if (rates) text += rates_text(*rates);
  if (!groups.empty()) {
    text += overview_text(status, groups.size() > k_most_kinds ? group_by_code(problems) : groups, colour);
  }
  text += peers_text(list_of(status, "peers"), colour);
  text += rows_text(list_of(status, "roots"), k_root_fields, colour);
  text += trash_text(list_of(status, "roots"));
  const bool some_accounts = !text_of(status, "account_glob").empty();
  text += rows_text(list_of(status, "accounts"), k_account_fields, colour);
  if (some_accounts && list_of(status, "accounts").empty()) {
    text += fmt::format("\nno account matches '{}'\n", text_of(status, "account_glob"));
  }
  if (!some_accounts) text += worst_accounts_text(problems, colour);
  text += problems_text(groups, shown, colour);
  const std::string rest = bandwidth_text(object_of(status, "bandwidth")) + totals_text(object_of(status, "totals")) +
                           verified_text(object_of(status, "verified")) + watcher_text(object_of(status, "watcher"));
  return rest.empty() ? text : text + '\n' + rest;
}

}  // namespace maildirsync::cli
