#include <algorithm>

#include <fmt/format.h>

#include "agent/engine/engine.h"
#include "common/os/printable.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

const char* word(config::Mode mode) {
  return mode == config::Mode::drain ? "drain" : "mirror";
}

}  // namespace

/// Over any lane.
bool Engine::is_connected() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->link().is_up(); });
}

std::string Engine::state_word() const {
  const bool connected = is_connected();
  if (paused_) return "paused";
  const bool root_held = std::any_of(roots_.begin(), roots_.end(), [](const Root& r) { return r.held && !r.removed; });
  const bool account_held =
      std::any_of(accounts_.begin(), accounts_.end(), [](const auto& a) { return a.second.held; });
  if (root_held || account_held) return "held";
  if (!connected) return "connecting";
  const bool undiscovered =
      std::any_of(roots_.begin(), roots_.end(), [](const Root& r) { return !r.discovered && !r.removed; });
  const bool incomplete = std::any_of(accounts_.begin(), accounts_.end(),
                                      [](const auto& a) { return !a.second.complete || a.second.doubted; });
  if (undiscovered || incomplete) return "initial";
  const bool draining = !roots_.empty() && std::all_of(roots_.begin(), roots_.end(), [](const Root& r) {
    return r.removed || r.mode == config::Mode::drain;
  });
  return draining ? "draining" : "live";
}

std::optional<double> Engine::lag() const {
  for (const auto& root : roots_) {
    if (!root.removed && !root.discovered) return std::nullopt;
  }
  std::optional<Time> oldest;
  for (const auto& [id, account] : accounts_) {
    if (!account.complete || account.awaits_discovery || account.doubted) return std::nullopt;
    for (const auto& at : {account.work.oldest, account.turn ? account.turn->order.work.oldest : std::nullopt}) {
      if (at && (!oldest || *at < *oldest)) oldest = at;
    }
  }
  if (!oldest) return 0.0;
  return std::max(0.0, std::chrono::duration<double>(Clock::now() - *oldest).count());
}

std::pair<std::uint64_t, std::uint64_t> Engine::pending() const {
  std::uint64_t messages = 0, bytes = 0;
  for (const auto& [id, account] : accounts_) {
    messages += account.work.names();
    if (account.turn) {
      messages += account.turn->pending_messages;
      bytes += account.turn->pending_bytes;
    }
  }
  return {messages, bytes};
}

json Engine::root_status(std::size_t index) const {
  const Root& root = roots_[index];
  std::uint64_t accounts = 0, complete = 0, folders = 0, messages = 0, bytes = 0, pending = 0, unwatched = 0, extra = 0;
  bool held = root.held;
  std::optional<Time> oldest;
  for (const auto& [id, account] : accounts_) {
    if (account.root != index) continue;
    ++accounts;
    complete += account.complete ? 1 : 0;
    folders += account.folders;
    messages += account.messages;
    bytes += account.bytes;
    unwatched += account.unwatched;
    extra += account.extra;
    held |= account.held;
    pending += account.work.names();
    if (account.turn) pending += account.turn->pending_messages;
    for (const auto& at : {account.work.oldest, account.turn ? account.turn->order.work.oldest : std::nullopt}) {
      if (at && (!oldest || *at < *oldest)) oldest = at;
    }
  }
  const bool initial = !root.discovered || complete < accounts;
  json lag = nullptr;
  if (!initial) lag = oldest ? std::chrono::duration<double>(Clock::now() - *oldest).count() : 0.0;
  const char* state = paused_                            ? "paused"
                      : held                             ? "held"
                      : initial                          ? "initial"
                      : root.mode == config::Mode::drain ? "draining"
                                                         : "live";
  return {{"name", root.config.name},
          {"mode", word(root.mode)},
          {"state", state},
          {"accounts", accounts},
          {"accounts_complete", complete},
          {"folders", folders},
          {"messages", messages},
          {"bytes", bytes},
          {"pending_messages", pending},
          {"lag_seconds", lag},
          {"unwatched_folders", unwatched},
          {"extra", extra}};
}

json Engine::problems(const std::string& account_glob) const {
  constexpr std::size_t k_most = 10'000;
  json list = json::array();
  const auto add = [&](std::string_view code, const std::string& root, const std::string& account,
                       const std::string& path, const std::string& detail) {
    if (list.size() < k_most) {
      list.push_back({{"code", code},
                      {"root", root},
                      {"account", os::printable(account)},
                      {"path", os::printable(path)},
                      {"detail", os::printable(detail)}});
    }
  };
  const bool connected = is_connected();
  if (link_error_ && !connected) add(to_string(link_error_->code), "", "", "", link_error_->message());
  if (state_error_) add("state", "", "", "", state_error_->message());
  for (const auto& root : roots_) {
    if (root.removed) continue;
    if (root.held) add("root-gone", root.config.name, "", root.config.path, root.hold_reason);
    for (const auto& problem : root.problems) {
      add(to_string(problem.code), root.config.name, "", problem.path, problem.detail);
    }
  }
  for (const auto& [id, account] : accounts_) {
    if (!maildir::is_chosen(account_glob, account.name)) continue;
    const std::string& root = roots_[account.root].config.name;
    if (account.held) add("mass-deletion", root, account.name, account.path, account.hold_reason);
    for (const auto& [path, problem] : account.problems) {
      add(to_string(problem.code), root, account.name, path, problem.detail);
    }
    if (!account.indexed.empty() && roots_[account.root].mode == config::Mode::mirror) {
      add("stale-index", root, account.name, *account.indexed.begin(), indexed_detail(account));
    }
  }
  return list;
}

/// null while no receiver of ours has said its time.
json Engine::peer_clock_offset() const {
  for (const auto& lane : lanes_) {
    if (const auto offset = lane->link().clock_offset()) return *offset;
  }
  return nullptr;
}

json Engine::status(const std::string& account_glob) {
  const auto [pending_messages, pending_bytes] = pending();
  const auto lag_now = lag();
  const bool connected = is_connected();
  json roots = json::array();
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    if (!roots_[i].removed) roots.push_back(root_status(i));
  }
  json status = {
      {"role", "agent"},
      {"version", MAILDIRSYNC_VERSION},
      {"state", state_word()},
      {"lag_seconds", lag_now ? json(*lag_now) : json(nullptr)},
      {"pending", {{"messages", pending_messages}, {"bytes", pending_bytes}}},
      {"peer",
       {{"address", config_.receiver.text()},
        {"connected", connected},
        {"fingerprint", link_settings_.receiver_fingerprint},
        {"connections", std::count_if(lanes_.begin(), lanes_.end(), [](const auto& l) { return l->link().is_up(); })},
        {"clock_offset_seconds", peer_clock_offset()}}},
      {"totals",
       {{"messages_sent", totals_.messages_sent.load()},
        {"bytes_source", totals_.bytes_source.load()},
        {"bytes_wire", totals_.bytes_wire.load()},
        {"renames", totals_.renames.load()},
        {"deletes", totals_.deletes.load()},
        {"links", totals_.links.load()},
        {"deltas", totals_.deltas.load()},
        {"conflicts", totals_.conflicts.load()},
        {"skipped", totals_.skipped.load()},
        {"rescans", totals_.rescans.load()},
        {"overflows", totals_.overflows.load()}}},
      {"watches", watcher_->watches()},
      {"watcher", {{"backend", watcher_->backend()}, {"reason", os::printable(watcher_reason_)}}},
      {"verified", verified_},
      {"roots", std::move(roots)},
      {"problems", problems(account_glob)}};
  if (!account_glob.empty()) {
    json accounts = json::array();
    for (const auto& [id, account] : accounts_) {
      if (!maildir::glob_match(account_glob, account.name)) continue;
      accounts.push_back(
          {{"name", os::printable(account.name)},
           {"root", roots_[account.root].config.name},
           {"complete", account.complete},
           {"held", account.held},
           {"folders", account.folders},
           {"messages", account.messages},
           {"bytes", account.bytes},
           {"pending_messages", account.work.names() + (account.turn ? account.turn->pending_messages.load() : 0)}});
    }
    status["accounts"] = std::move(accounts);
  }
  return status;
}

std::string Engine::summary() {
  const auto [messages, bytes] = pending();
  const auto lag_now = lag();
  return fmt::format("{}; lag {}; {} messages pending", state_word(),
                     lag_now ? fmt::format("{:.1f} s", *lag_now) : std::string("not known yet"), messages);
}

std::map<std::string, std::size_t> Engine::problems_by_code() const {
  std::map<std::string, std::size_t> counts;
  for (const auto& root : roots_) {
    for (const auto& problem : root.problems)
      ++counts[std::string(to_string(problem.code))];
  }
  for (const auto& [id, account] : accounts_) {
    for (const auto& [path, problem] : account.problems)
      ++counts[std::string(to_string(problem.code))];
  }
  return counts;
}

std::vector<service::Metric> Engine::metrics() {
  using Kind = service::Metric::Kind;
  const auto [pending_messages, pending_bytes] = pending();
  const bool connected = is_connected();
  std::vector<service::Metric> metrics{
      {"maildirsync_connected", "Whether the receiver is connected.", Kind::gauge, connected ? 1.0 : 0.0},
      {"maildirsync_pending_messages", "Messages that wait to become durable.", Kind::gauge,
       static_cast<double>(pending_messages)},
      {"maildirsync_pending_bytes", "Bytes of messages that wait to become durable.", Kind::gauge,
       static_cast<double>(pending_bytes)},
      {"maildirsync_problems", "Problems as in maildirsync status.", Kind::gauge,
       static_cast<double>(problems("").size())},
      {"maildirsync_accounts", "Accounts.", Kind::gauge, static_cast<double>(accounts_.size())},
      {"maildirsync_watches", "Directories that are watched.", Kind::gauge, static_cast<double>(watcher_->watches())}};
  // No sample rather than a wrong one while the lag cannot be known.
  if (const auto now = lag()) {
    metrics.push_back({"maildirsync_lag_seconds", "Age of the oldest change that is not durable.", Kind::gauge, *now});
  }
  if (verified_.is_object()) {
    metrics.push_back({"maildirsync_verified_timestamp_seconds", "When everything was last compared.", Kind::gauge,
                       verified_.value("unix", 0.0)});
    metrics.push_back({"maildirsync_verified_differences", "Differences found then.", Kind::gauge,
                       verified_.value("differences", 0.0)});
  }
  for (const auto& [code, count] : problems_by_code()) {
    metrics.push_back({"maildirsync_problems_by_code",
                       "Problems as in maildirsync status, by their code.",
                       Kind::gauge,
                       static_cast<double>(count),
                       {{"code", code}}});
  }
  for (const auto& [name, queue] : {std::pair("live", &live_), std::pair("bulk", &bulk_)}) {
    metrics.push_back({"maildirsync_queued_accounts",
                       "Accounts that wait for their turn: live changes, and all else.",
                       Kind::gauge,
                       static_cast<double>(queue->size()),
                       {{"queue", name}}});
  }
  const auto counter = [&](const char* name, const char* help, const std::atomic<std::uint64_t>& value) {
    metrics.push_back({name, help, Kind::counter, static_cast<double>(value.load())});
  };
  counter("maildirsync_messages_sent_total", "Messages whose body was sent.", totals_.messages_sent);
  counter("maildirsync_source_bytes_total", "Bytes of bodies before compression.", totals_.bytes_source);
  counter("maildirsync_wire_bytes_total", "Bytes written to the receiver.", totals_.bytes_wire);
  counter("maildirsync_renames_total", "Renames sent.", totals_.renames);
  counter("maildirsync_links_total", "Links sent.", totals_.links);
  counter("maildirsync_deletes_total", "Deletions sent.", totals_.deletes);
  counter("maildirsync_deltas_total", "Control files sent as deltas.", totals_.deltas);
  counter("maildirsync_conflicts_total", "Messages put under another name.", totals_.conflicts);
  counter("maildirsync_overflows_total", "Times the kernel dropped events.", totals_.overflows);
  counter("maildirsync_rescans_total", "Accounts whose folders were walked.", totals_.rescans);
  metrics.push_back({"maildirsync_connections_total", "Connections made to the receiver.", Kind::counter,
                     static_cast<double>(connections_made_)});
  return metrics;
}

}  // namespace maildirsync::agent
