#include "cli/health.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "cli/format.h"

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

bool is_connected(const Json& status) {
  return flag_of(object_of(status, "peer"), "connected") && text_of(status, "state") != "connecting";
}

std::string problems_text(const Json& status) {
  const Json& problems = list_of(status, "problems");
  if (problems.empty()) return "";
  std::set<std::string> codes;
  for (const auto& problem : problems)
    codes.insert(text_of(problem, "code"));
  return fmt::format(", {} ({})", format_plural(problems.size(), "problem"), fmt::join(codes, ", "));
}

std::string agent_text(const Json& status, const Thresholds& thresholds) {
  const auto lag = number_of(status, "lag_seconds");
  const std::uint64_t pending = count_of(object_of(status, "pending"), "messages");
  std::string text =
      fmt::format("{}, lag {}, {} pending", text_of(status, "state"),
                  lag ? fmt::format("{:.1f} s", *lag) : "not known yet", format_plural(pending, "message"));
  if (!is_connected(status)) text += ", not connected to " + text_of(object_of(status, "peer"), "address");
  return fmt::format("{}{} | lag={};{};{};0 pending={}", text, problems_text(status),
                     lag ? fmt::format("{:.1f}s", *lag) : "U", thresholds.warn(), thresholds.crit(), pending);
}

std::string receiver_text(const Json& status) {
  const Json& peers = list_of(status, "peers");
  const auto connected =
      std::count_if(peers.begin(), peers.end(), [](const Json& peer) { return flag_of(peer, "connected"); });
  return fmt::format("{}, {} of {} connected{} | agents={}", text_of(status, "state"), connected,
                     format_plural(peers.size(), "agent"), problems_text(status), connected);
}

}  // namespace

double Thresholds::warn() const {
  return warn_lag.value_or(std::min(k_warn_lag_seconds, crit_lag.value_or(k_warn_lag_seconds)));
}

double Thresholds::crit() const {
  return crit_lag.value_or(std::max(k_crit_lag_seconds, warn_lag.value_or(0)));
}

int exit_status(const Json& status, const Thresholds& thresholds) {
  const int by_problems = list_of(status, "problems").empty() ? k_fine : k_warning;
  if (is_receiver(status)) return by_problems;
  if (is_held(status) || !is_connected(status)) return k_critical;
  const auto lag = number_of(status, "lag_seconds");
  if (!lag) return thresholds.warn_lag || thresholds.crit_lag ? k_warning : by_problems;
  if (*lag >= thresholds.crit()) return k_critical;
  return *lag >= thresholds.warn() ? k_warning : by_problems;
}

std::string summary_line(const Json& status, const Thresholds& thresholds) {
  constexpr std::array k_words{"OK", "WARNING", "CRITICAL"};
  return fmt::format("MAILDIRSYNC {} - {}", k_words[static_cast<std::size_t>(exit_status(status, thresholds))],
                     is_receiver(status) ? receiver_text(status) : agent_text(status, thresholds));
}

}  // namespace maildirsync::cli
