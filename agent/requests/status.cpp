#include "agent/requests/status.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "agent/accounts/stalls.h"
#include "agent/requests/cutover_status.h"
#include "agent/requests/extra_mail.h"
#include "agent/requests/requests.h"
#include "common/os/clock.h"
#include "common/os/open_beneath.h"
#include "common/os/printable.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

std::optional<Time> earlier(std::optional<Time> left, std::optional<Time> right) {
  return left && right ? std::min(*left, *right) : left ? left : right;
}

/// Since when the oldest change of an account waits for its turn, and for a refusal's end.
struct Waits {
  std::optional<Time> pending, refused;
};

Waits oldest_wait(const Account& account) {
  Waits waits{earlier(account.work.oldest, account.turn ? account.turn->order.work.oldest : std::nullopt),
              refused_of(account).since};
  if (account.held) waits.pending = earlier(waits.pending, account.held_since);
  return waits;
}

json to_json(const Refused& refused) {
  return {{"messages", refused.messages},
          {"others", refused.others},
          {"accounts", refused.accounts},
          {"oldest_seconds", refused.since ? json(os::seconds_since(*refused.since)) : json(nullptr)}};
}

json decision_status(const Agreements& agreements, const Root& root) {
  const auto* last = decisions::newest(agreements.decided(root));
  if (last == nullptr) return nullptr;
  return {{"number", last->number},
          {"mode", to_string(last->word)},
          {"when", last->when},
          {"by", last->by},
          {"receiver_knows", decisions::contains(root.agreement.heard, *last)},
          {"adopted", root.agreement.adopted},
          {"withheld_messages", root.agreement.withheld},
          {"given_again_messages", root.given_again}};
}

/// The limit that counts now, by which line of the schedule, and until when.
json bandwidth_status(const Parts& parts) {
  const auto& timetable = parts.config.transfer.timetable;
  const std::time_t now = std::time(nullptr);
  const auto* span = config::span_at(timetable, now);
  const std::time_t until = config::next_change(timetable, now);
  return {{"limit", parts.lanes.settings().bandwidth_limit},
          {"connections", span == nullptr ? 0 : span->connections},
          {"by", span == nullptr ? json(nullptr) : json(os::printable(span->text))},
          {"until", until == 0 ? json(nullptr) : json(os::stamp_of(until))}};
}

/// Whether something keeps all of a root from arriving.
bool is_any_obstructed(const Roster& roster) {
  std::vector<Usability> usability(roster.roots.size());
  for (const auto& [id, account] : roster.accounts)
    usability[account.root].add(account);
  for (std::size_t i = 0; i < roster.roots.size(); ++i) {
    const Root& root = roster.roots[i];
    if (!root.removed && (!obstruction(root).empty() || !usability[i].trouble().empty())) return true;
  }
  return false;
}

}  // namespace

/// Never "live" while a root cannot be read or written.
std::string state_word(const Parts& parts) {
  const Roster& roster = parts.roster;
  if (parts.schedule.is_paused()) return "paused";
  const bool root_held =
      std::any_of(roster.roots.begin(), roster.roots.end(), [](const Root& r) { return r.is_held() && !r.removed; });
  const bool account_held =
      std::any_of(roster.accounts.begin(), roster.accounts.end(), [](const auto& a) { return a.second.held; });
  if (root_held || account_held) return "held";
  if (!parts.lanes.is_connected()) return "connecting";
  const bool agreed = std::all_of(roster.roots.begin(), roster.roots.end(),
                                  [](const Root& r) { return r.agreement.reached || r.removed; });
  if (!agreed) return "connecting";
  if (is_any_obstructed(roster)) return "blocked";
  const bool undiscovered =
      std::any_of(roster.roots.begin(), roster.roots.end(), [](const Root& r) { return !r.discovered && !r.removed; });
  const bool incomplete = std::any_of(roster.accounts.begin(), roster.accounts.end(),
                                      [](const auto& a) { return is_initial(a.second) || a.second.doubted; });
  if (undiscovered || incomplete) return "initial";
  const bool draining =
      !roster.roots.empty() && std::all_of(roster.roots.begin(), roster.roots.end(),
                                           [](const Root& r) { return r.removed || r.mode == config::Mode::drain; });
  return draining ? "draining" : "live";
}

/// Changes that wait for their turn, those that are refused, and those of what is held.
std::optional<double> lag(const Roster& roster) {
  std::optional<Time> oldest;
  for (const auto& root : roster.roots) {
    if (root.removed) continue;
    if (root.is_held()) {
      oldest = earlier(oldest, root.held_since);
    } else if (!root.discovered) {
      return std::nullopt;
    }
    oldest = earlier(oldest, refused_of(root).since);
  }
  for (const auto& [id, account] : roster.accounts) {
    const auto of_account = oldest_wait(account);
    const bool known = account.complete && !account.awaits_discovery && !account.doubted;
    if (!known && !of_account.refused && !roster.root_of(account).is_held()) return std::nullopt;
    oldest = earlier(earlier(oldest, of_account.refused), of_account.pending);
  }
  return oldest ? os::seconds_since(*oldest) : 0.0;
}

Refused refused(const Roster& roster) {
  Refused refused;
  for (const auto& root : roster.roots) {
    if (!root.removed) refused.add(refused_of(root));
  }
  for (const auto& [id, account] : roster.accounts)
    refused.add(refused_of(account));
  return refused;
}

std::pair<std::uint64_t, std::uint64_t> pending(const Roster& roster) {
  std::uint64_t messages = 0, bytes = 0;
  for (const auto& [id, account] : roster.accounts) {
    messages += account.work.names();
    if (account.turn) {
      messages += account.turn->pending_messages;
      bytes += account.turn->pending_bytes;
    }
  }
  return {messages, bytes};
}

json root_status(const Parts& parts, std::size_t index) {
  const Roster& roster = parts.roster;
  const Root& root = roster.roots[index];
  std::uint64_t accounts = 0, complete = 0, initial = 0, folders = 0, messages = 0, bytes = 0, pending = 0,
                unwatched = 0, extra = 0;
  bool held = root.is_held();
  Usability usability;
  std::map<std::string, std::uint64_t> states;
  Refused refused = refused_of(root);
  std::optional<Time> oldest = refused.since;
  if (root.is_held()) oldest = earlier(oldest, root.held_since);
  bool known = root.is_held() || root.discovered;
  for (const auto& [id, account] : roster.accounts) {
    if (account.root != index) continue;
    ++accounts;
    usability.add(account);
    ++states[std::string(state_of(account, root))];
    complete += account.complete ? 1 : 0;
    initial += is_initial(account) ? 1 : 0;
    folders += account.folders;
    messages += account.messages;
    bytes += account.bytes;
    unwatched += account.unwatched;
    extra += account.extra;
    held |= account.held;
    pending += account.work.names();
    if (account.turn) pending += account.turn->pending_messages;
    refused.add(refused_of(account));
    const auto waits = oldest_wait(account);
    known &= (account.complete && !account.doubted) || waits.refused || root.is_held();
    oldest = earlier(earlier(oldest, waits.refused), waits.pending);
  }
  const std::string trouble = root.is_held()               ? root.held_because()
                              : !obstruction(root).empty() ? obstruction(root)
                                                           : usability.trouble();
  const char* state = parts.schedule.is_paused()         ? "paused"
                      : held                             ? "held"
                      : !trouble.empty()                 ? "blocked"
                      : !root.agreement.reached          ? "connecting"
                      : !root.discovered || initial > 0  ? "initial"
                      : root.mode == config::Mode::drain ? "draining"
                                                         : "live";
  return {{"name", root.config.name},
          {"mode", config::name_of(root.mode)},
          {"state", state},
          {"states", states},
          {"trouble", os::printable(trouble)},
          {"accounts", accounts},
          {"accounts_complete", complete},
          {"folders", folders},
          {"messages", messages},
          {"bytes", bytes},
          {"pending_messages", pending},
          {"refused", to_json(refused)},
          {"lag_seconds", !known   ? json(nullptr)
                          : oldest ? json(os::seconds_since(*oldest))
                                   : json(0.0)},
          {"unwatched_folders", unwatched},
          {"extra", extra},
          {"decision", decision_status(parts.agreements, root)}};
}

void for_each_problem(const Requests& requests, const std::string& account_glob,
                      const std::function<void(const Told&)>& tell) {
  const Parts& parts = requests.parts();
  const Roster& roster = parts.roster;
  static const std::string none;
  if (auto left = left_cutover(requests.cutover())) {
    tell({"cutover-open", none, none, none, *left, std::nullopt});
  }
  if (parts.lanes.error() && !parts.lanes.is_connected()) {
    tell({to_string(parts.lanes.error()->code), none, none, none, parts.lanes.error()->message(), std::nullopt});
  }
  if (parts.configuration.refused) {
    tell({to_string(ErrorCode::config), none, none, parts.configuration.file, parts.configuration.refusal(),
          std::nullopt});
  }
  if (const auto& error = parts.keeper.error()) tell({"state", none, none, none, error->message(), std::nullopt});
  for (const auto& root : roster.roots) {
    if (root.removed) continue;
    const std::string& name = root.config.name;
    if (root.is_held()) tell({root.hold_code(), name, none, root.config.path, root.held_because(), root.held_since});
    if (const auto& trouble = root.distant_trouble) {
      tell({to_string(trouble->code), name, none, none, trouble->detail, trouble->since});
    }
    if (root.silent_since) {
      tell({to_string(ErrorCode::timed_out), name, none, root.config.path, silence_detail(root), root.silent_since});
    }
    if (root.walk_hangs_since) {
      tell({to_string(ErrorCode::timed_out), name, none, root.config.path, walk_hang_detail(root),
            root.walk_hangs_since});
    }
    if (root.acls > 0) tell({to_string(ErrorCode::acl), name, none, none, acl_detail(root.acls), std::nullopt});
    if (root.is_left_empty(roster.has_accounts(roster.index_of(root)))) {
      tell({"no-accounts", name, none, root.config.path, no_accounts(root), std::nullopt});
    }
    for (const auto& problem : root.problems)
      tell({to_string(problem.code), name, none, problem.path, problem.detail, problem.since});
  }
  for (const auto& [id, account] : roster.accounts) {
    if (!maildir::is_chosen(account_glob, account.name)) continue;
    const Root& root = roster.root_of(account);
    const std::string& name = root.config.name;
    if (account.held)
      tell({to_string(account.hold_code), name, account.name, account.path, account.hold_reason, account.held_since});
    if (account.hangs_since) {
      tell({to_string(ErrorCode::timed_out), name, account.name, account.path, hang_detail(root, account),
            account.hangs_since});
    }
    for (const auto& [path, problem] : account.problems)
      tell({to_string(problem.code), name, account.name, path, problem.detail, problem.since});
    if (!account.indexed.empty() && root.mode == config::Mode::mirror) {
      tell({"stale-index", name, account.name, *account.indexed.begin(), indexed_detail(account),
            account.indexed_since});
    }
  }
}

/// Those with the most trouble first.
json accounts_status(const Roster& roster, const std::string& account_glob) {
  struct Ranked {
    const Account* account;
    Refused refused;
  };
  std::vector<Ranked> ranked;
  for (const auto& [id, account] : roster.accounts) {
    if (maildir::is_chosen(account_glob, account.name)) ranked.push_back({&account, refused_of(account)});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& left, const Ranked& right) {
    const auto rank = [](const Ranked& one) {
      return std::tuple(one.account->held, one.refused.messages, one.refused.others, one.account->problems.size());
    };
    if (rank(left) != rank(right)) return rank(left) > rank(right);
    return left.account->name < right.account->name;
  });
  json accounts = json::array();
  for (const auto& [account, refused] : ranked) {
    const Root& root = roster.root_of(*account);
    accounts.push_back(
        {{"name", os::printable(account->name)},
         {"root", root.config.name},
         {"state", state_of(*account, root)},
         {"complete", account->complete},
         {"held", account->held},
         {"folders", account->folders},
         {"messages", account->messages},
         {"bytes", account->bytes},
         {"pending_messages", account->work.names() + (account->turn ? account->turn->pending_messages.load() : 0)},
         {"refused", to_json(refused)},
         {"problems", account->problems.size() + (account->held ? 1 : 0)}});
  }
  return accounts;
}

json status_of(const Requests& requests, const std::string& account_glob) {
  const Parts& parts = requests.parts();
  const Roster& roster = parts.roster;
  constexpr std::size_t k_most_problems = 10'000;
  const auto [pending_messages, pending_bytes] = pending(roster);
  const auto lag_now = lag(roster);
  json problems = json::array();
  std::size_t problem_count = 0;
  for_each_problem(requests, account_glob, [&](const Told& told) {
    if (++problem_count > k_most_problems) return;
    problems.push_back({{"code", told.code},
                        {"root", told.root},
                        {"account", os::printable(told.account)},
                        {"path", os::printable(told.path)},
                        {"detail", os::printable(told.detail)}});
    if (!told.since) return;
    problems.back()["since"] = os::stamp_of(*told.since);
    problems.back()["since_seconds"] = os::seconds_since(*told.since);
  });
  json roots = json::array();
  for (std::size_t i = 0; i < roster.roots.size(); ++i) {
    if (!roster.roots[i].removed) roots.push_back(root_status(parts, i));
  }
  const auto offset = parts.lanes.clock_offset();
  ExtraMail extra = extra_mail(parts);
  json status = {{"role", "agent"},
                 {"version", MAILDIRSYNC_VERSION},
                 {"confinement", os::to_string(os::confinement())},
                 {"state", state_word(parts)},
                 {"lag_seconds", lag_now ? json(*lag_now) : json(nullptr)},
                 {"pending", {{"messages", pending_messages}, {"bytes", pending_bytes}}},
                 {"refused", to_json(refused(roster))},
                 {"peer",
                  {{"address", parts.config.receiver.text()},
                   {"connected", parts.lanes.is_connected()},
                   {"fingerprint", parts.lanes.settings().receiver_fingerprint},
                   {"connections", parts.lanes.connections()},
                   {"clock_offset_seconds", offset ? json(*offset) : json(nullptr)}}},
                 {"totals",
                  {{"messages_sent", parts.totals.messages_sent.load()},
                   {"bytes_source", parts.totals.bytes_source.load()},
                   {"bytes_wire", parts.totals.bytes_wire.load()},
                   {"renames", parts.totals.renames.load()},
                   {"deletes", parts.totals.deletes.load()},
                   {"links", parts.totals.links.load()},
                   {"deltas", parts.totals.deltas.load()},
                   {"conflicts", parts.totals.conflicts.load()},
                   {"skipped", parts.totals.skipped.load()},
                   {"rescans", parts.totals.rescans.load()},
                   {"overflows", parts.totals.overflows.load()}}},
                 {"configuration", parts.configuration.to_json()},
                 {"bandwidth", bandwidth_status(parts)},
                 {"watches", parts.watcher.watches()},
                 {"watcher", {{"backend", parts.watcher.backend()}, {"reason", os::printable(parts.watcher_reason)}}},
                 {"cutover", cutover_status(requests.cutover())},
                 {"verified", requests.verified()},
                 {"roots", std::move(roots)},
                 {"extra", extra.files},
                 {"extra_accounts", extra.accounts},
                 {"extra_whole_accounts", extra.whole_accounts},
                 {"extra_detail", describe(extra)},
                 {"extras", std::move(extra.first)},
                 {"problems", std::move(problems)},
                 {"problems_count", problem_count}};
  if (!account_glob.empty()) {
    status["accounts"] = accounts_status(roster, account_glob);
  }
  return status;
}

std::string summary(const Parts& parts) {
  const Roster& roster = parts.roster;
  const auto [messages, bytes] = pending(roster);
  const auto lag_now = lag(roster);
  std::string text = fmt::format("{}; lag {}; {} messages pending", state_word(parts),
                                 lag_now ? fmt::format("{:.1f} s", *lag_now) : std::string("not known yet"), messages);
  if (const Refused those = refused(roster); those.any()) {
    text += fmt::format("; {} messages and {} others refused", those.messages, those.others);
  }
  return text;
}

}  // namespace maildirsync::agent
