#include "cli/report/health.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cli/report/format.h"
#include "cli/report/problem_groups.h"

namespace maildirsync::cli {

namespace {

constexpr int k_fine = 0, k_warning = 1, k_critical = 2;

bool is_receiver(const Json& status) {
  return text_of(status, "role") == "receiver";
}

bool is_held(const Json& status) {
  if (text_of(status, "state") == "held") return true;
  const Json& roots = list_of(status, "roots");
  return std::any_of(roots.begin(), roots.end(), [](const Json& root) { return text_of(root, "state") == "held"; });
}

bool is_blocked(const Json& status) {
  return text_of(status, "state") == "blocked";
}

/// The status of some accounts was asked for, and there are none of the name.
bool matches_nothing(const Json& status) {
  return !text_of(status, "account_glob").empty() && list_of(status, "accounts").empty();
}

bool is_connected(const Json& status) {
  return flag_of(object_of(status, "peer"), "connected") && text_of(status, "state") != "connecting";
}

/// How many, and of which kinds; not more kinds than a line holds.
std::string problems_text(const Json& status) {
  constexpr std::size_t k_named = 3;
  const Json& problems = list_of(status, "problems");
  if (problems.empty()) return "";
  const auto groups = group_by_code(problems);
  std::vector<std::string> kinds;
  for (std::size_t i = 0; i < std::min(groups.size(), k_named); ++i) {
    kinds.push_back(groups.size() == 1 ? groups[i].code
                                       : fmt::format("{} {}", format_count(groups[i].problems.size()), groups[i].code));
  }
  if (groups.size() > k_named) kinds.push_back(format_plural(groups.size() - k_named, "more kind"));
  return fmt::format(", {} ({})", format_plural(problem_count(status), "problem"), fmt::join(kinds, ", "));
}

/// "lag 3.0 h for 46 messages that are refused": whether it is the line that is slow, or something that a person must
/// put right.
std::string lag_text(const Json& status) {
  const auto lag = number_of(status, "lag_seconds");
  const Json& refused = object_of(status, "refused");
  const auto oldest = number_of(refused, "oldest_seconds");
  const std::uint64_t messages = count_of(refused, "messages"), others = count_of(refused, "others");
  std::string text = "lag " + (lag ? format_seconds(*lag) : "not known yet");
  if (!oldest || messages + others == 0) return text;
  const std::string what = messages > 0 && others > 0 ? fmt::format("{} and {}", format_plural(messages, "message"),
                                                                    format_plural(others, "other"))
                           : messages > 0             ? format_plural(messages, "message")
                                                      : format_plural(others, "file or folder", "files or folders");
  const char* verb = messages + others == 1 ? "is" : "are";
  constexpr double k_same = 2;  // seconds
  if (lag && *lag <= *oldest + k_same) {
    return fmt::format("{} for {} that {} refused", text, what, verb);
  }
  return fmt::format("{}, {} {} refused for {}", text, what, verb, format_seconds(*oldest));
}

std::string agent_text(const Json& status, const Thresholds& thresholds) {
  const auto lag = number_of(status, "lag_seconds");
  const std::uint64_t pending = count_of(object_of(status, "pending"), "messages");
  std::string text =
      fmt::format("{}, {}, {} pending", text_of(status, "state"), lag_text(status), format_plural(pending, "message"));
  if (!is_connected(status)) text += ", not connected to " + text_of(object_of(status, "peer"), "address");
  if (const auto extra = count_of(status, "extra"); extra > 0) {
    text += fmt::format(", {} at the destination only", format_plural(extra, "file"));
  }
  if (const auto whole = count_of(status, "extra_whole_accounts"); whole > 0) {
    text += fmt::format(", {} at the destination only", format_plural(whole, "account"));
  }
  if (matches_nothing(status)) text += ", no account matches '" + text_of(status, "account_glob") + "'";
  return fmt::format("{}{} | lag={};{};{};0 pending={} refused={}", text, problems_text(status),
                     lag ? fmt::format("{:.1f}s", *lag) : "U", thresholds.warn(), thresholds.crit(), pending,
                     count_of(object_of(status, "refused"), "messages"));
}

bool is_away(const Json& peer, const Thresholds& thresholds) {
  return !flag_of(peer, "connected") && number_of(peer, "since_seconds").value_or(0) >= thresholds.warn();
}

std::string receiver_text(const Json& status, const Thresholds& thresholds) {
  const Json& peers = list_of(status, "peers");
  const auto connected =
      std::count_if(peers.begin(), peers.end(), [](const Json& peer) { return flag_of(peer, "connected"); });
  std::string text =
      fmt::format("{}, {} of {} connected", text_of(status, "state"), connected, format_plural(peers.size(), "agent"));
  for (const auto& peer : peers) {
    if (!is_away(peer, thresholds)) continue;
    text += fmt::format(", {} away for {}", text_of(peer, "name"),
                        format_seconds(number_of(peer, "since_seconds").value_or(0)));
  }
  return fmt::format("{}{} | agents={}", text, problems_text(status), connected);
}

}  // namespace

std::uint64_t problem_count(const Json& status) {
  return std::max<std::uint64_t>(list_of(status, "problems").size(), count_of(status, "problems_count"));
}

double Thresholds::warn() const {
  return warn_lag.value_or(std::min(k_warn_lag_seconds, crit_lag.value_or(k_warn_lag_seconds)));
}

double Thresholds::crit() const {
  return crit_lag.value_or(std::max(k_crit_lag_seconds, warn_lag.value_or(0)));
}

int exit_status(const Json& status, const Thresholds& thresholds) {
  const int by_problems = list_of(status, "problems").empty() && !matches_nothing(status) ? k_fine : k_warning;
  if (is_receiver(status)) {
    const Json& peers = list_of(status, "peers");
    const bool away =
        std::any_of(peers.begin(), peers.end(), [&](const Json& peer) { return is_away(peer, thresholds); });
    return is_held(status) || is_blocked(status) ? k_critical : away ? k_warning : by_problems;
  }
  if (is_held(status) || is_blocked(status) || !is_connected(status)) return k_critical;
  const auto lag = number_of(status, "lag_seconds");
  if (!lag) return thresholds.warn_lag || thresholds.crit_lag ? k_warning : by_problems;
  if (*lag >= thresholds.crit()) return k_critical;
  return *lag >= thresholds.warn() ? k_warning : by_problems;
}

std::string summary_line(const Json& status, const Thresholds& thresholds) {
  constexpr std::array k_words{"OK", "WARNING", "CRITICAL"};
  return fmt::format("MAILDIRSYNC {} - {}", k_words[static_cast<std::size_t>(exit_status(status, thresholds))],
                     is_receiver(status) ? receiver_text(status, thresholds) : agent_text(status, thresholds));
}

}  // namespace maildirsync::cli
