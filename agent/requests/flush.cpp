#include <algorithm>

#include <asio/post.hpp>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "common/service/event.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

double seconds_since(Time start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

/// A flush on its way: first every root is walked anew, then every account, then it waits for the receiver.
struct Engine::Flush {
  std::string glob;
  bool full = false;
  std::uint64_t generation = 0;
  Time start = Clock::now();
  std::optional<Time> deadline;
  std::shared_ptr<control::Reply> reply;
  std::vector<std::uint64_t> discoveries;  ///< of each root, that must have finished
  bool accounts_marked = false;
  Time last_progress{};
};

void Engine::handle(const json& request, std::shared_ptr<control::Reply> reply) {
  const std::string command = request.value("command", "");
  const std::string glob = request.value("account", "");
  if (command == "status") {
    reply->finish(status(glob));
  } else if (command == "flush") {
    flush(request, std::move(reply));
  } else if (command == "verify") {
    verify(request, std::move(reply));
  } else if (command == "repair-index") {
    repair_index(glob, std::move(reply));
  } else if (command == "pause" || command == "resume") {
    set_paused(command == "pause", *reply);
  } else if (command == "release") {
    release(glob, *reply);
  } else if (command == "drain" || command == "mirror") {
    set_mode(request, command == "drain" ? config::Mode::drain : config::Mode::mirror, std::move(reply));
  } else if (command == "plan") {
    plan(request, std::move(reply));
  } else if (command == "note") {
    note_step(request, *reply);
  } else if (command == "events") {
    reply->finish({{"events", watcher_->recent()}});
  } else {
    reply->finish(control::error("usage", "the agent does not know the command '" + command + "'"));
  }
}

// ---- flush ----

void Engine::flush(const json& request, std::shared_ptr<control::Reply> reply) {
  auto flush = std::make_shared<Flush>();
  flush->glob = request.value("account", "");
  flush->full = request.value("full", false);
  flush->generation = ++generation_;
  constexpr double k_longest = 365.0 * 24 * 60 * 60;  // a year: what is longer may not fit the clock
  const double timeout = std::min(request.value("timeout", 0.0), k_longest);
  if (timeout > 0) {
    flush->deadline =
        flush->start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout));
  }
  flush->reply = std::move(reply);
  flush->discoveries = walk_roots();
  flushes_.push_back(flush);
  check_flushes();
}

void Engine::flush_accounts(const std::shared_ptr<Flush>& flush) {
  flush->accounts_marked = true;
  for (auto& [id, account] : accounts_) {
    if (!maildir::is_chosen(flush->glob, account.name)) continue;
    account.wanted_generation = flush->generation;
    account.work.structure = true;
    account.work.full |= flush->full;
    account.work.compare |= flush->full;
    account.not_before = {};
    schedule(account);
  }
  dispatch();
}

void Engine::check_flushes() {
  check_verify();
  const Time now = Clock::now();
  for (std::size_t i = 0; i < flushes_.size();) {
    const auto flush = flushes_[i];
    if (have_walked(flush->discoveries) && !flush->accounts_marked) flush_accounts(flush);
    std::uint64_t accounts = 0, folders = 0, messages = 0, waiting = 0;
    json left_out = json::array();
    const bool late = flush->deadline && now >= *flush->deadline;
    for (const auto& [id, account] : accounts_) {
      if (!maildir::is_chosen(flush->glob, account.name) || roots_[account.root].removed) continue;
      ++accounts;
      folders += account.folders;
      messages += account.messages;
      const bool held = account.held || roots_[account.root].held;
      const bool verified = account.verified_generation >= flush->generation;
      if (held) {
        left_out.push_back({{"code", account.held ? "mass-deletion" : "root-gone"},
                            {"account", account.name},
                            {"detail", account.held ? account.hold_reason : roots_[account.root].hold_reason}});
      } else if (!verified) {
        ++waiting;
        if (late) left_out.push_back({{"account", account.name}, {"detail", "not finished in time"}});
      }
      for (const auto& [path, problem] : account.problems) {
        if (problem.code == ErrorCode::unwatched) continue;  // looked at by this flush all the same
        left_out.push_back(
            {{"code", to_string(problem.code)}, {"account", account.name}, {"path", path}, {"detail", problem.detail}});
      }
    }
    for (const auto& root : roots_) {
      if (root.removed) continue;
      if (root.held) {
        left_out.push_back({{"code", "root-gone"}, {"root", root.config.name}, {"detail", root.hold_reason}});
      }
      for (const auto& problem : root.problems) {
        if (problem.code == ErrorCode::unwatched) continue;  // walked by this flush all the same
        left_out.push_back({{"code", to_string(problem.code)},
                            {"root", root.config.name},
                            {"path", problem.path},
                            {"detail", problem.detail}});
      }
    }
    const bool done = flush->accounts_marked && waiting == 0;
    if (late && !done) {
      left_out.push_back({{"detail", link_error_ ? "the receiver is not connected: " + link_error_->message()
                                     : paused_   ? "the agent is paused; maildirsync resume"
                                                 : "the time given was over"}});
    }
    if (done || late || !flush->reply->wanted()) {
      flush->reply->finish({{"complete", done && left_out.empty()},
                            {"elapsed_seconds", seconds_since(flush->start)},
                            {"accounts", accounts},
                            {"folders", folders},
                            {"messages", messages},
                            {"left_out", std::move(left_out)}});
      flushes_.erase(flushes_.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    if (now - flush->last_progress > std::chrono::milliseconds(500)) {
      flush->last_progress = now;
      const auto [pending_messages, pending_bytes] = pending();
      flush->reply->progress({{"progress",
                               {{"pending_accounts", waiting},
                                {"accounts", accounts},
                                {"pending_messages", pending_messages},
                                {"pending_bytes", pending_bytes}}}});
    }
    ++i;
  }
}

// ---- other commands ----

void Engine::set_paused(bool paused, control::Reply& reply) {
  paused_ = paused;
  if (const auto stored = state_->set_value("paused", paused ? "1" : "0"); !stored) {
    return reply.finish(control::error("state", stored.error().message()));
  }
  spdlog::info("{}", paused ? "paused" : "resumed");
  schedule_all();
  reply.finish({{"ok", true},
                {"message",
                 paused ? "paused: changes are kept track of, nothing is sent until maildirsync resume" : "resumed"}});
}

void Engine::release(const std::string& glob, control::Reply& reply) {
  std::size_t released = 0;
  for (auto& [id, account] : accounts_) {
    if (!account.held || !maildir::is_chosen(glob, account.name)) continue;
    account.held = false;
    account.released = true;
    account.hold_reason.clear();
    account.work.structure = true;
    account.work.settled = true;
    account.not_before = {};
    ++released;
    service::log_event({service::Severity::info,
                        "account-released",
                        {{"root", roots_[account.root].config.name}, {"account", account.name}}});
    schedule(account);
  }
  if (glob.empty()) {
    for (std::size_t i = 0; i < roots_.size(); ++i) {
      if (!roots_[i].held) continue;
      roots_[i].released = true;
      ++released;
      spdlog::info("root-released root={}", roots_[i].config.name);
      for (Account* account : accounts_of(i))
        account->released = true;
      discover_root(i);
    }
  }
  dispatch();
  reply.finish({{"ok", true},
                {"released", released},
                {"message", released == 0 ? "nothing was held" : "released: " + std::to_string(released)}});
}

Result<> Engine::reload(config::Agent config, LinkSettings link) {
  config_.transfer = config.transfer;
  link.session = link_settings_.session;
  link.instance = link_settings_.instance;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    Root& root = roots_[i];
    if (root.removed) continue;
    const auto kept = std::find_if(config.roots.begin(), config.roots.end(),
                                   [&](const config::AgentRoot& r) { return r.name == root.config.name; });
    if (kept == config.roots.end()) {
      root.removed = true;
      for (const Account* account : accounts_of(i))
        drop_account(account->id);
      spdlog::info("root-removed root={}", root.config.name);
      continue;
    }
    auto layout = maildir::Layout::parse(kept->accounts);
    if (!layout) return Failure(layout.error());
    const bool other_mode = root.config.mode != kept->mode;
    root.config = *kept;
    root.layout = std::move(*layout);
    if (other_mode) MAILDIRSYNC_TRY(change_mode(root, kept->mode));
    discover_root(i);
  }
  for (const auto& added : config.roots) {
    const bool known = std::any_of(roots_.begin(), roots_.end(),
                                   [&](const Root& r) { return !r.removed && r.config.name == added.name; });
    if (known) continue;
    MAILDIRSYNC_TRY(add_root(added));
    spdlog::info("root-added root={}", added.name);
  }
  const bool reconnect = link.own_fingerprint != link_settings_.own_fingerprint ||
                         link.receiver_fingerprint != link_settings_.receiver_fingerprint ||
                         link.receiver.text() != link_settings_.receiver.text();
  if (config.watch.backend != config_.watch.backend) {
    spdlog::warn("reload-incomplete key=watch.backend detail=\"{} goes on watching until the agent is restarted\"",
                 watcher_->backend());
  }
  link_settings_ = link;
  config_ = std::move(config);
  for (auto& lane : lanes_) {
    const auto settings = std::make_shared<const LinkSettings>(link_settings_);
    if (reconnect) {
      lane->link().restart(settings);
    } else {
      lane->link().use(settings);
    }
  }
  return {};
}

}  // namespace maildirsync::agent
