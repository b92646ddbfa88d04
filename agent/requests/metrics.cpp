#include <algorithm>
#include <map>

#include "agent/requests/requests.h"
#include "agent/requests/status.h"

namespace maildirsync::agent {

std::vector<service::Metric> metrics(const Requests& requests) {
  const Parts& parts = requests.parts();
  const Roster& roster = parts.roster;
  const auto& totals = parts.totals;
  using Kind = service::Metric::Kind;
  const auto [pending_messages, pending_bytes] = pending(roster);
  std::map<std::string, std::size_t> by_code;
  std::size_t problems = 0;
  for_each_problem(requests, "", [&](const Told& told) {
    ++problems;
    ++by_code[std::string(told.code)];
  });
  const Refused waiting = refused(roster);
  std::vector<service::Metric> metrics{
      {"maildirsync_connected", "Whether the receiver is connected.", Kind::gauge,
       parts.lanes.is_connected() ? 1.0 : 0.0},
      {"maildirsync_pending_messages", "Messages that wait to become durable.", Kind::gauge,
       static_cast<double>(pending_messages)},
      {"maildirsync_pending_bytes", "Bytes of messages that wait to become durable.", Kind::gauge,
       static_cast<double>(pending_bytes)},
      {"maildirsync_problems", "Problems as in maildirsync status.", Kind::gauge, static_cast<double>(problems)},
      {"maildirsync_refused_messages", "Messages that are refused, at the source or at the destination, and wait.",
       Kind::gauge, static_cast<double>(waiting.messages)},
      {"maildirsync_refused_others", "Files, folders and accounts that are refused, and wait.", Kind::gauge,
       static_cast<double>(waiting.others)},
      {"maildirsync_refused_oldest_seconds", "How long the oldest of what is refused waits; 0 without any.",
       Kind::gauge, waiting.since ? std::chrono::duration<double>(Clock::now() - *waiting.since).count() : 0.0},
      {"maildirsync_accounts", "Accounts.", Kind::gauge, static_cast<double>(roster.accounts.size())},
      {"maildirsync_bandwidth_limit_bytes", "Bytes a second that may be sent now; 0: any.", Kind::gauge,
       static_cast<double>(parts.lanes.settings().bandwidth_limit)},
      {"maildirsync_watches", "Directories that are watched.", Kind::gauge,
       static_cast<double>(parts.watcher.watches())}};
  // No sample rather than a wrong one while the lag cannot be known.
  if (const auto now = lag(roster)) {
    metrics.push_back({"maildirsync_lag_seconds", "Age of the oldest change that is not durable.", Kind::gauge, *now});
  }
  if (requests.verified().is_object()) {
    metrics.push_back({"maildirsync_verified_timestamp_seconds", "When everything was last compared.", Kind::gauge,
                       requests.verified().value("unix", 0.0)});
    metrics.push_back({"maildirsync_verified_differences", "Differences found then.", Kind::gauge,
                       requests.verified().value("differences", 0.0)});
  }
  for (const auto& root : roster.roots) {
    const auto found = requests.stragglers().find(root.config.name);
    if (root.removed || root.mode != config::Mode::drain || found == requests.stragglers().end()) continue;
    const auto add = [&](const char* name, const char* help, const char* key) {
      metrics.push_back({name, help, Kind::gauge, found->value(key, 0.0), {{"root", root.config.name}}});
    };
    add("maildirsync_stragglers", "Messages that came to a drained root since its users moved.", "messages");
    add("maildirsync_stragglers_waiting", "Those of them that are not at the destination yet.", "waiting");
    add("maildirsync_straggler_last_timestamp_seconds", "When the last of them came; 0: none.", "last_unix");
    add("maildirsync_stragglers_checked_timestamp_seconds", "When this was found, by verify or drain --report.",
        "checked_unix");
  }
  for (const auto& [code, count] : by_code) {
    metrics.push_back({"maildirsync_problems_by_code",
                       "Problems as in maildirsync status, by their code.",
                       Kind::gauge,
                       static_cast<double>(count),
                       {{"code", code}}});
  }
  std::map<std::pair<std::string, std::string>, std::size_t> states;
  for (const auto& [id, account] : roster.accounts) {
    const Root& root = roster.root_of(account);
    ++states[{root.config.name, std::string(state_of(account, root))}];
  }
  for (const auto& [which, count] : states) {
    metrics.push_back({"maildirsync_accounts_by_state",
                       "Accounts of a root in a state: live, draining, initial, refused, held.",
                       Kind::gauge,
                       static_cast<double>(count),
                       {{"root", which.first}, {"state", which.second}}});
  }
  for (const auto& [name, queue] :
       {std::pair("live", parts.schedule.live()), std::pair("bulk", parts.schedule.bulk())}) {
    metrics.push_back({"maildirsync_queued_accounts",
                       "Accounts that wait for their turn: live changes, and all else.",
                       Kind::gauge,
                       static_cast<double>(queue),
                       {{"queue", name}}});
  }
  const auto counter = [&](const char* name, const char* help, const std::atomic<std::uint64_t>& value) {
    metrics.push_back({name, help, Kind::counter, static_cast<double>(value.load())});
  };
  counter("maildirsync_messages_sent_total", "Messages whose body was sent.", totals.messages_sent);
  counter("maildirsync_source_bytes_total", "Bytes of bodies before compression.", totals.bytes_source);
  counter("maildirsync_wire_bytes_total", "Bytes written to the receiver.", totals.bytes_wire);
  counter("maildirsync_renames_total", "Renames sent.", totals.renames);
  counter("maildirsync_links_total", "Links sent.", totals.links);
  counter("maildirsync_deletes_total", "Deletions sent.", totals.deletes);
  counter("maildirsync_deltas_total", "Control files sent as deltas.", totals.deltas);
  counter("maildirsync_conflicts_total", "Messages put under another name.", totals.conflicts);
  counter("maildirsync_overflows_total", "Times the kernel dropped events.", totals.overflows);
  counter("maildirsync_rescans_total", "Accounts whose folders were walked.", totals.rescans);
  metrics.push_back({"maildirsync_connections_total", "Connections made to the receiver.", Kind::counter,
                     static_cast<double>(parts.lanes.connections_made())});
  return metrics;
}

}  // namespace maildirsync::agent
