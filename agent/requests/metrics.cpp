#include <algorithm>
#include <map>

#include "agent/requests/requests.h"
#include "agent/requests/status.h"
#include "common/os/clock.h"

namespace maildirsync::agent {

namespace {

using Metrics = std::vector<service::Metric>;
using Kind = service::Metric::Kind;

void add_gauges(const Requests& requests, std::size_t problems, Metrics& metrics) {
  const Parts& parts = requests.parts();
  const auto [pending_messages, pending_bytes] = pending(parts.roster);
  const Refused waiting = refused(parts.roster);
  const auto gauge = [&](const char* name, const char* help, auto value) {
    metrics.push_back({name, help, Kind::gauge, static_cast<double>(value)});
  };
  gauge("maildirsync_connected", "Whether the receiver is connected.", parts.lanes.is_connected());
  gauge("maildirsync_pending_messages", "Messages that wait to become durable.", pending_messages);
  gauge("maildirsync_pending_bytes", "Bytes of messages that wait to become durable.", pending_bytes);
  gauge("maildirsync_problems", "Problems as in maildirsync status.", problems);
  gauge("maildirsync_refused_messages", "Messages that are refused, at the source or at the destination, and wait.",
        waiting.messages);
  gauge("maildirsync_refused_others", "Files, folders and accounts that are refused, and wait.", waiting.others);
  gauge("maildirsync_refused_oldest_seconds", "How long the oldest of what is refused waits; 0 without any.",
        waiting.since ? os::seconds_since(*waiting.since) : 0.0);
  gauge("maildirsync_accounts", "Accounts.", parts.roster.accounts.size());
  gauge("maildirsync_bandwidth_limit_bytes", "Bytes a second that may be sent now; 0: any.",
        parts.lanes.settings().bandwidth_limit);
  gauge("maildirsync_watches", "Directories that are watched.", parts.watcher.watches());
  // No sample rather than a wrong one while the lag cannot be known.
  if (const auto now = lag(parts.roster))
    gauge("maildirsync_lag_seconds", "Age of the oldest change that is not durable.", *now);
  if (requests.verified().is_object()) {
    gauge("maildirsync_verified_timestamp_seconds", "When everything was last compared.",
          requests.verified().value("unix", 0.0));
    gauge("maildirsync_verified_differences", "Differences found then.", requests.verified().value("differences", 0.0));
  }
}

/// Gauges that differ by a label.
void add_counts(const Parts& parts, const std::map<std::string, std::size_t>& problems, Metrics& metrics) {
  using Labels = std::vector<std::pair<std::string, std::string>>;
  const auto gauge = [&](const char* name, const char* help, std::size_t value, Labels labels) {
    metrics.push_back({name, help, Kind::gauge, static_cast<double>(value), std::move(labels)});
  };
  for (const auto& [code, count] : problems)
    gauge("maildirsync_problems_by_code", "Problems as in maildirsync status, by their code.", count, {{"code", code}});
  std::map<std::pair<std::string, std::string>, std::size_t> states;
  for (const auto& [id, account] : parts.roster.accounts) {
    const Root& root = parts.roster.root_of(account);
    ++states[{root.config.name, std::string(state_of(account, root))}];
  }
  for (const auto& [which, count] : states) {
    gauge("maildirsync_accounts_by_state", "Accounts of a root in a state: live, draining, initial, refused, held.",
          count, {{"root", which.first}, {"state", which.second}});
  }
  for (const auto& [name, queue] :
       {std::pair("live", parts.schedule.live()), std::pair("bulk", parts.schedule.bulk())}) {
    gauge("maildirsync_queued_accounts", "Accounts that wait for their turn: live changes, and all else.", queue,
          {{"queue", name}});
  }
}

/// Of each drained root, as verify or drain --report last found it.
void add_stragglers(const Requests& requests, Metrics& metrics) {
  for (const auto& root : requests.parts().roster.roots) {
    const auto found = requests.stragglers().find(root.config.name);
    if (root.removed || root.mode != config::Mode::drain || found == requests.stragglers().end()) continue;
    const auto gauge = [&](const char* name, const char* help, const char* key) {
      metrics.push_back({name, help, Kind::gauge, found->value(key, 0.0), {{"root", root.config.name}}});
    };
    gauge("maildirsync_stragglers", "Messages that came to a drained root since its users moved.", "messages");
    gauge("maildirsync_stragglers_waiting", "Those of them that are not at the destination yet.", "waiting");
    gauge("maildirsync_straggler_last_timestamp_seconds", "When the last of them came; 0: none.", "last_unix");
    gauge("maildirsync_stragglers_checked_timestamp_seconds", "When this was found, by verify or drain --report.",
          "checked_unix");
  }
}

void add_totals(const Parts& parts, Metrics& metrics) {
  const auto& totals = parts.totals;
  const auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    metrics.push_back({name, help, Kind::counter, static_cast<double>(value)});
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
  counter("maildirsync_connections_total", "Connections made to the receiver.", parts.lanes.connections_made());
}

}  // namespace

std::vector<service::Metric> metrics(const Requests& requests) {
  std::map<std::string, std::size_t> by_code;
  std::size_t problems = 0;
  for_each_problem(requests, "", [&](const Told& told) {
    ++problems;
    ++by_code[std::string(told.code)];
  });
  Metrics metrics;
  add_gauges(requests, problems, metrics);
  add_stragglers(requests, metrics);
  add_counts(requests.parts(), by_code, metrics);
  add_totals(requests.parts(), metrics);
  return metrics;
}

}  // namespace maildirsync::agent
