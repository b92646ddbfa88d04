#include "cli/cutover/obstacles.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "cli/report/format.h"
#include "cli/report/remedy.h"

namespace maildirsync::cli {

namespace {

/// What is not mail, what a flush looks at all the same, and what is about the record of an earlier cutover.
bool stands_in_no_way(const Json& problem) {
  static constexpr std::array<std::string_view, 3> k_harmless{"acl-left-behind", "unwatched", "cutover-open"};
  const std::string code = text_of(problem, "code");
  if (code == "special-file") return !text_of(problem, "account").empty();
  return std::find(k_harmless.begin(), k_harmless.end(), code) != k_harmless.end();
}

bool is_one_of(const std::vector<std::string>& names, const std::string& name);

/// Of some accounts, what lies beside them in the root is no concern of theirs; what holds the root is.
bool concerns(const Json& problem, const std::vector<std::string>& accounts) {
  const std::string account = text_of(problem, "account");
  if (!account.empty()) return is_one_of(accounts, account);
  const std::string code = text_of(problem, "code");
  return code != "special-file" && code != "mail-left-out";
}

bool is_one_of(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A root that is drained while another is not belongs to a group that has moved.
std::string drained_text(const std::string& name, const Json& roots) {
  std::string others;
  for (const auto& root : roots) {
    if (text_of(root, "mode") != "drain") others += " --group " + text_of(root, "name");
  }
  return "root " + name + " is drained already; " +
         (others.empty() ? "if its users are not at the new server: maildirsync mirror " + name
                         : "to cut over those that are not, name them:" + others);
}

/// Of a root that is held for what no release settles: the whole sentence. "" for any other.
std::string unreleasable(const Json& status, const std::string& root) {
  static constexpr std::array<std::string_view, 3> k_codes{"destination-overlaps", "decisions-lost", "foreign-agent"};
  for (const auto& problem : list_of(status, "problems")) {
    const std::string code = text_of(problem, "code");
    if (text_of(problem, "root") == root && std::find(k_codes.begin(), k_codes.end(), code) != k_codes.end())
      return "root " + root + " is held: " + code + ": " + text_of(problem, "detail");
  }
  return "";
}

std::string obstacle_of(const Json& status, const Json& root, bool of_some_accounts) {
  const Json& roots = list_of(status, "roots");
  const std::string state = text_of(root, "state");
  if (std::string why = unreleasable(status, text_of(root, "name")); !why.empty()) return why;
  if (state == "held" && !of_some_accounts)
    return "something is held: maildirsync status says what, and maildirsync release lets it go on";
  if (state == "blocked") return "a root cannot be read or written: maildirsync status says which, and why";
  return text_of(root, "mode") == "drain" ? drained_text(text_of(root, "name"), roots) : "";
}

}  // namespace

std::string obstacle(const Json& status, const std::vector<std::string>& roots,
                     const std::vector<std::string>& accounts) {
  if (text_of(status, "state") == "paused")
    return "the agent is paused: maildirsync resume, and wait until the lag is 0";
  const std::string connection = flag_of(object_of(status, "peer"), "connected")
                                     ? ""
                                     : "the receiver is not connected: maildirsync status says why";
  for (const auto& root : list_of(status, "roots")) {
    if (!is_one_of(roots, text_of(root, "name"))) continue;
    if (std::string why = obstacle_of(status, root, !accounts.empty()); !why.empty()) return why;
  }
  return connection;
}

std::string standing_problem(const Json& status, const std::vector<std::string>& roots,
                             const std::vector<std::string>& accounts) {
  const Json* first = nullptr;
  std::size_t same = 0;
  for (const auto& problem : list_of(status, "problems")) {
    const std::string root = text_of(problem, "root");
    if (!accounts.empty() && !concerns(problem, accounts)) continue;
    if (stands_in_no_way(problem) || (!root.empty() && !is_one_of(roots, root))) continue;
    if (first == nullptr) first = &problem;
    same += text_of(problem, "code") == text_of(*first, "code") ? 1 : 0;
  }
  if (first == nullptr) return "";
  const std::string code = text_of(*first, "code");
  if (code == "stale-index") {
    return fmt::format(
        "stale-index: a Dovecot at the destination has opened {} before the time ({}{}), and their users could see "
        "messages expunged or with new UIDs. Keep it from serving them, then: maildirsync repair-index",
        format_plural(same, "account"), text_of(*first, "account"), same == 1 ? "" : " first");
  }
  const std::string more = same > 1 ? fmt::format(", and {} more", same - 1) : "";
  const std::string_view how = remedy(code);
  return fmt::format("a problem stands: {}: {}{}{}", code, left_out_text(*first), more,
                     how.empty() ? "" : fmt::format(". {}", how));
}

std::string too_short(double flush_seconds, double verify_seconds, double window_seconds) {
  if (window_seconds <= 0 || flush_seconds + verify_seconds < window_seconds) return "";
  return fmt::format(
      "the flush took {} and the comparison {}, beside the running mail server: together not less than "
      "--timeout, {}. Give the window more time, or cut over fewer accounts at once",
      format_seconds(flush_seconds), format_seconds(verify_seconds), format_seconds(window_seconds));
}

}  // namespace maildirsync::cli
