#include "cli/report/drain_report.h"

#include <algorithm>

#include <fmt/format.h>

namespace maildirsync::cli {

namespace {

double last_sign(const Json& root) {
  return std::max(number_of(root, "since_unix").value_or(0), number_of(root, "last_unix").value_or(0));
}

/// A root from which the rest is told.
std::string root_text(const Json& root) {
  const auto messages = count_of(root, "messages"), waiting = count_of(root, "waiting");
  std::string text = fmt::format("root {}: its users moved at {}; ", text_of(root, "root"), text_of(root, "since"));
  if (messages == 0) return text + "nothing has come to the old server since";
  text += fmt::format("since then {} came to the old server, ", format_plural(messages, "message"));
  return text +
         (waiting == 0 ? "all of it durable at the new one" : fmt::format("{} of it not yet at the new one", waiting));
}

std::string place_of(const Json& message) {
  const std::string where = text_of(message, "where");
  return where == "there"       ? "there"
         : where == "was-there" ? "was given; moved or removed by its user since"
                                : "NOT THERE YET";
}

std::string messages_text(const Json& root, Colour colour) {
  Table table({{"CAME"}, {"ACCOUNT"}, {"MESSAGE"}, {"SIZE", Table::Align::right}, {"AT THE NEW SERVER"}});
  for (const auto& message : list_of(root, "named")) {
    const bool waits = text_of(message, "where") == "waits";
    table.add({{text_of(message, "came")},
               {text_of(message, "account")},
               {text_of(message, "path")},
               {format_bytes(number_of(message, "bytes").value_or(0))},
               {place_of(message), waits ? Style::bad : Style::plain}});
  }
  std::string text = list_of(root, "named").empty() ? "" : table.text(colour);
  const auto all = count_of(root, "messages"), named = list_of(root, "named").size();
  if (all > named) text += fmt::format("and {} before these\n", format_plural(all - named, "message"));
  return text;
}

std::string domains_text(const Json& root, std::time_t now, Colour colour) {
  if (list_of(root, "domains").empty()) return "";
  Table table({{"DOMAIN"}, {"MESSAGES", Table::Align::right}, {"THE LAST"}});
  for (const auto& domain : list_of(root, "domains")) {
    const double ago = std::max(0.0, static_cast<double>(now) - number_of(domain, "last_unix").value_or(0));
    table.add({{text_of(domain, "domain")},
               {format_count(count_of(domain, "messages"))},
               {fmt::format("{}, {} ago", text_of(domain, "last"), format_seconds(ago))}});
  }
  return table.text(colour);
}

}  // namespace

std::string drained_text(const Json& verified) {
  std::string text;
  for (const auto& root : list_of(verified, "drained"))
    text += root_text(root) + "; what its users did there is theirs, and not compared\n";
  return text;
}

double quiet_seconds(const Json& verified, std::time_t now) {
  double last = 0;
  for (const auto& root : list_of(verified, "drained"))
    last = std::max(last, last_sign(root));
  return list_of(verified, "drained").empty() ? -1 : std::max(0.0, static_cast<double>(now) - last);
}

bool is_safe(const Json& verified, std::time_t now, double wanted_quiet_seconds) {
  const double quiet = quiet_seconds(verified, now);
  return flag_of(verified, "equal") && quiet >= 0 && quiet >= wanted_quiet_seconds;
}

std::string drain_report(const Json& verified, std::time_t now, double wanted_quiet_seconds, Colour colour) {
  std::string text;
  for (const auto& root : list_of(verified, "drained"))
    text += root_text(root) + '\n' + messages_text(root, colour) + domains_text(root, now, colour);
  for (const auto& left_out : list_of(verified, "left_out"))
    text += "left out: " + left_out_text(left_out) + '\n';
  const std::string quiet = format_seconds(std::max(0.0, quiet_seconds(verified, now)));
  if (!flag_of(verified, "equal")) {
    return text + paint(colour, Style::bad, "not safe to switch off") + ": what is named is not at the new server\n";
  }
  if (is_safe(verified, now, wanted_quiet_seconds)) {
    return text + "none for " + quiet + ": " + paint(colour, Style::good, "safe to switch off") + '\n';
  }
  return text + "none for " + quiet + ": " + paint(colour, Style::warning, "too early to switch off") + ", before " +
         format_seconds(wanted_quiet_seconds) + " without any\n";
}

}  // namespace maildirsync::cli
