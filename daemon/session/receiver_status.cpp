// What a receiver says of itself: for `status`, for systemd, as metrics.

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "common/os/clock.h"
#include "common/os/open_beneath.h"
#include "daemon/session/receiver.h"

namespace maildirsync::daemon {

using nlohmann::json;

namespace {

json problem(std::string_view code, const std::string& root, const std::string& path, const std::string& detail) {
  return {{"code", code}, {"root", root}, {"account", ""}, {"path", path}, {"detail", detail}};
}

bool is_held(const std::optional<Error>& trouble) {
  return trouble && trouble->code == ErrorCode::destination_gone;
}

std::string_view state_of(const std::optional<Error>& trouble) {
  return is_held(trouble) ? "held" : trouble ? "blocked" : "live";
}

json totals_of(const CommitTotals& totals, std::uint64_t bytes_wire) {
  return {{"messages_received", totals.messages.load()},
          {"operations", totals.operations.load()},
          {"bytes_written", totals.bytes.load()},
          {"bytes_wire", bytes_wire},
          {"renames", totals.renames.load()},
          {"deletes", totals.deletes.load()},
          {"links", totals.links.load()},
          {"deltas", totals.deltas.load()},
          {"conflicts", totals.conflicts.load()},
          {"refused", totals.refused.load()},
          {"groups", totals.groups.load()},
          {"sync_seconds", static_cast<double>(totals.sync_microseconds.load()) / 1e6}};
}

}  // namespace

std::size_t Receiver::connections_of(const std::string& peer) const {
  return static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& session) {
    return session->peer() && session->peer()->name == peer;
  }));
}

/// Once a second at least. A peer that was never here is away since we began to wait for it.
void Receiver::note_presence() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(presence_, [&](const auto& known) {
    return std::none_of(config_.peers.begin(), config_.peers.end(),
                        [&](const config::Peer& peer) { return peer.name == known.first; });
  });
  for (const auto& peer : config_.peers) {
    const bool connected = connections_of(peer.name) > 0;
    const auto [known, is_new] = presence_.try_emplace(peer.name, Presence{connected, now});
    if (known->second.connected != connected) known->second = {connected, now};
  }
}

json Receiver::status() {
  note_presence();
  bool usable = true, any_held = false;
  json peers = json::array(), roots = json::array(), problems = json::array();
  std::string address;
  for (const auto& peer : config_.peers) {
    std::string from;
    json clock_offset = nullptr;
    for (const auto& session : sessions_) {
      if (!session->peer() || session->peer()->name != peer.name) continue;
      if (!from.empty() && !session->refusal().empty()) continue;  // the address is that of the one that is obeyed
      from = session->address();
      if (const auto offset = session->clock_offset()) clock_offset = *offset;
    }
    if (!from.empty()) address = from;
    json peer_roots = json::array();
    for (const auto& root : peer.roots) {
      const auto trouble = directories_->find(root.path)->trouble();
      any_held |= is_held(trouble);
      usable &= !trouble;
      peer_roots.push_back({{"name", root.name}, {"path", root.path}, {"ok", !trouble}});
      roots.push_back({{"name", root.name},
                       {"peer", peer.name},
                       {"path", root.path},
                       {"ok", !trouble},
                       {"trash", trash_.status_of(root.path)},
                       {"state", state_of(trouble)}});
      if (trouble) problems.push_back(problem(to_string(trouble->code), root.name, root.path, trouble->detail));
    }
    const Presence& presence = presence_[peer.name];
    peers.push_back({{"name", peer.name},
                     {"connected", !from.empty()},
                     {"since", os::stamp_of(presence.since)},
                     {"since_seconds", os::seconds_since(presence.since)},
                     {"connections", connections_of(peer.name)},
                     {"address", from},
                     {"clock_offset_seconds", std::move(clock_offset)},
                     {"roots", std::move(peer_roots)}});
  }
  add_problems(problems);
  const char* state = any_held ? "held" : address.empty() ? "waiting" : usable ? "live" : "blocked";
  return {{"role", "receiver"},
          {"version", MAILDIRSYNC_VERSION},
          {"confinement", os::to_string(os::confinement())},
          {"state", state},
          {"lag_seconds", nullptr},
          {"pending", {{"messages", 0}, {"bytes", 0}}},
          {"peer", {{"address", address}, {"connected", !address.empty()}}},
          {"peers", std::move(peers)},
          {"fingerprint", services_.own_fingerprint},
          {"configuration", configuration_.to_json()},
          {"totals", totals_of(committers_.totals(), services_.bytes_read.load())},
          {"roots", std::move(roots)},
          {"problems", std::move(problems)}};
}

/// Those that are not of a root's directory.
void Receiver::add_problems(json& problems) {
  if (configuration_.refused) {
    problems.push_back(problem(to_string(ErrorCode::config), "", configuration_.file, configuration_.refusal()));
  }
  if (const auto& state = state_room_.trouble()) {
    problems.push_back(problem(to_string(state->code), "", state->path, state->detail));
  }
  if (const auto& landing = landing_.trouble()) {
    problems.push_back(problem(to_string(ErrorCode::owned_by_another), "", "", landing->detail));
  }
  for (const auto& session : held_agents()) {
    json one =
        problem(to_string(ErrorCode::foreign_agent), "", "",
                session->refusal() +
                    ". Nothing is taken from the latter. Stop one of the two, or give it a key of its own; if "
                    "the latter is to go on, then there: maildirsync mirror ROOT --adopt, or drain ROOT --adopt");
    one["peer"] = session->peer()->name;
    problems.push_back(std::move(one));
  }
  for (const auto& [where, trouble] : problems_.recent()) {
    const auto& [peer, root, account, path] = where;
    json one = problem(to_string(trouble.code), root, path, trouble.detail);
    one["peer"] = peer;
    one["account"] = account;
    problems.push_back(std::move(one));
  }
}

std::string Receiver::summary() {
  note_presence();
  const auto agents = std::count_if(config_.peers.begin(), config_.peers.end(),
                                    [&](const config::Peer& peer) { return connections_of(peer.name) > 0; });
  return std::to_string(agents) + " of " + std::to_string(config_.peers.size()) + " agents connected; " +
         std::to_string(committers_.totals().messages.load()) + " messages received";
}

std::vector<service::Metric> Receiver::metrics() {
  using Kind = service::Metric::Kind;
  const CommitTotals& totals = committers_.totals();
  const auto number = [](auto value) { return static_cast<double>(value); };
  std::vector<service::Metric> metrics{
      {"maildirsyncd_connections", "Connections of known agents.", Kind::gauge,
       number(std::count_if(sessions_.begin(), sessions_.end(), [](const auto& s) { return s->peer() != nullptr; }))},
      {"maildirsyncd_agents_away", "Agents that are configured and not connected.", Kind::gauge,
       number(std::count_if(config_.peers.begin(), config_.peers.end(),
                            [&](const config::Peer& peer) { return connections_of(peer.name) == 0; }))},
      {"maildirsyncd_problems", "Problems as in maildirsync status.", Kind::gauge,
       number(problems_.recent().size() + held_agents().size())},
      {"maildirsyncd_operations_total", "Operations that were answered.", Kind::counter,
       number(totals.operations.load())},
      {"maildirsyncd_refused_total", "Operations that were refused.", Kind::counter, number(totals.refused.load())},
      {"maildirsyncd_messages_total", "Messages whose body was received.", Kind::counter,
       number(totals.messages.load())},
      {"maildirsyncd_bytes_total", "Bytes of bodies written.", Kind::counter, number(totals.bytes.load())},
      {"maildirsyncd_wire_bytes_total", "Bytes of bodies as received.", Kind::counter,
       number(services_.bytes_read.load())},
      {"maildirsyncd_conflicts_total", "Messages put under another name.", Kind::counter,
       number(totals.conflicts.load())},
      {"maildirsyncd_commit_groups_total", "Groups of operations that shared their syncs.", Kind::counter,
       number(totals.groups.load())},
      {"maildirsyncd_sync_seconds_total", "Time spent syncing to the disk.", Kind::counter,
       static_cast<double>(totals.sync_microseconds.load()) / 1e6}};
  std::map<std::string, std::size_t> codes;
  for (const auto& [where, trouble] : problems_.recent())
    ++codes[std::string(to_string(trouble.code))];
  if (const auto held = held_agents().size(); held > 0) codes[std::string(to_string(ErrorCode::foreign_agent))] += held;
  for (const auto& [code, count] : codes) {
    metrics.push_back({"maildirsyncd_problems_by_code",
                       "Problems as in maildirsync status, by their code.",
                       Kind::gauge,
                       number(count),
                       {{"code", code}}});
  }
  return metrics;
}

}  // namespace maildirsync::daemon
