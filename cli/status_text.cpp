#include "cli/status_text.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "cli/remedy.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

enum class Kind { text, count, bytes, seconds, yes_no };

struct Field {
  const char* key;
  const char* title;
  Kind kind;
};

constexpr std::array k_root_fields{
    Field{"name", "ROOT", Kind::text},          Field{"mode", "MODE", Kind::text},
    Field{"state", "STATE", Kind::text},        Field{"accounts", "ACCOUNTS", Kind::count},
    Field{"folders", "FOLDERS", Kind::count},   Field{"messages", "MESSAGES", Kind::count},
    Field{"bytes", "SIZE", Kind::bytes},        Field{"pending_messages", "PENDING", Kind::count},
    Field{"lag_seconds", "LAG", Kind::seconds}, Field{"unwatched_folders", "UNWATCHED", Kind::count},
    Field{"extra", "EXTRA", Kind::count},       Field{"ok", "OK", Kind::yes_no},
    Field{"path", "PATH", Kind::text}};
constexpr std::array k_account_fields{
    Field{"name", "ACCOUNT", Kind::text},        Field{"root", "ROOT", Kind::text},
    Field{"complete", "COMPLETE", Kind::yes_no}, Field{"held", "HELD", Kind::yes_no},
    Field{"folders", "FOLDERS", Kind::count},    Field{"messages", "MESSAGES", Kind::count},
    Field{"bytes", "SIZE", Kind::bytes},         Field{"pending_messages", "PENDING", Kind::count}};
constexpr std::array k_peer_fields{Field{"name", "AGENT", Kind::text}, Field{"connected", "CONNECTED", Kind::yes_no},
                                   Field{"connections", "CONNECTIONS", Kind::count},
                                   Field{"address", "ADDRESS", Kind::text}};

std::string cell_text(const Json& row, const Field& field) {
  switch (field.kind) {
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
  const std::uint64_t complete = count_of(row, "accounts_complete");
  const std::uint64_t count = count_of(row, field.key);
  if (std::string_view(field.key) == "accounts" && row.contains("accounts_complete") && complete < count) {
    return format_count(complete) + " of " + format_count(count);
  }
  return format_count(count);
}

Style style_of_state(const std::string& state) {
  if (state == "live" || state == "draining") return Style::good;
  return state == "held" || state == "connecting" ? Style::bad : Style::warning;
}

Style cell_style(const Field& field, const std::string& text) {
  const std::string_view key(field.key);
  if (key == "state") return style_of_state(text);
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
    used.push_back(field);
    const bool is_word = field.kind == Kind::text || field.kind == Kind::yes_no;
    columns.push_back({field.title, is_word ? Table::Align::left : Table::Align::right});
  }
  if (used.empty()) return "";
  Table table(std::move(columns));
  for (const auto& row : rows) {
    std::vector<Table::Cell> cells;
    for (const auto& field : used) {
      std::string text = cell_text(row, field);
      const Style style = cell_style(field, text);
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
  text += '\n';
  if (const Json& watcher = object_of(status, "watcher"); !watcher.empty()) {
    text += fmt::format("watching by {} ({})\n", text_of(watcher, "backend"), text_of(watcher, "reason"));
  }
  return text;
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

/// Each code with its remedy once, below it what it concerns.
std::string problems_text(const Json& problems, Colour colour) {
  if (problems.empty()) return "";
  std::map<std::string, std::vector<std::string>> by_code;
  for (const auto& problem : problems) {
    std::string text;
    for (const char* key : {"root", "account", "path", "detail"}) {
      const std::string value = text_of(problem, key);
      if (!value.empty()) text += (text.empty() ? "" : "  ") + value;
    }
    by_code[text_of(problem, "code")].push_back(std::move(text));
  }
  std::string text = '\n' + paint(colour, Style::strong, fmt::format("PROBLEMS ({})", problems.size())) + '\n';
  for (const auto& [code, lines] : by_code) {
    const bool holds = code == "mass-deletion" || code == "root-gone";
    text += paint(colour, holds ? Style::bad : Style::warning, code);
    const std::string_view action = remedy(code);
    text += (action.empty() ? "" : fmt::format(": {}", action)) + '\n';
    for (const auto& line : lines)
      text += "  " + line + '\n';
  }
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
                        Colour colour) {
  std::string text = paint(colour, style_of_exit(exit_status(status, thresholds)), summary_line(status, thresholds));
  text += "\n\n" + head_text(status) + totals_text(object_of(status, "totals"));
  text += verified_text(object_of(status, "verified"));
  if (rates) text += rates_text(*rates);
  text += peers_text(list_of(status, "peers"), colour);
  text += rows_text(list_of(status, "roots"), k_root_fields, colour);
  text += rows_text(list_of(status, "accounts"), k_account_fields, colour);
  return text + problems_text(list_of(status, "problems"), colour);
}

}  // namespace maildirsync::cli
