// The engine's roots: at the start, and after a reload.

#include <algorithm>
#include <cstdlib>
#include <set>

#include "agent/engine/engine.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

std::uint64_t number_in(State& state, const std::string& key) {
  const auto value = state.value(key);
  return value && *value ? std::strtoull((*value)->c_str(), nullptr, 10) : 0;
}

}  // namespace

Result<> Engine::add_root(const config::AgentRoot& config, Agreements::When when) {
  MAILDIRSYNC_ASSIGN(auto layout, maildir::Layout::parse(config.accounts));
  Root root{.config = config, .layout = std::move(layout), .directory = nullptr, .mode = config.mode};
  MAILDIRSYNC_TRY(destinations_.recall(root));
  MAILDIRSYNC_TRY(mount_holds_.recall(root));
  unclean_ends_.recall_root(*state_, config.name);
  MAILDIRSYNC_ASSIGN(auto rows, state_->accounts(config.name));
  // An account that was found, and of which nothing was acknowledged, says nothing: the first decision comes before the
  // first operation.
  root.agreement.known_before = std::any_of(
      rows.begin(), rows.end(), [](const State::AccountRow& row) { return row.complete || row.folders > 0; });
  root.acls = number_in(*state_, "acls:" + config.name);
  roster_.roots.push_back(std::move(root));
  const std::size_t index = roster_.roots.size() - 1;
  MAILDIRSYNC_TRY(agreements_.begin(index, when));
  const bool compares = compare_all_ || roster_.roots[index].agreement.comparing;
  std::set<std::string> released;
  for (const auto& release : agreements_.decisions().book().releases) {
    if (release.root != config.name) continue;
    if (!release.account.empty()) released.insert(release.account);
    roster_.roots[index].released |= release.account.empty() && release.code == to_string(ErrorCode::root_gone);
  }
  std::size_t elsewhere = 0;
  for (const auto& row : rows) {
    if (const auto name = roster_.roots[index].layout.account_name(row.path)) {
      Account& account = add_known_account(index, row, *name);
      account.work.compare = compares || !row.complete;
      account.released = roster_.roots[index].released || released.contains(row.path);
      continue;
    }
    // Found by another layout, and not gone: what it has there is compared under its present path.
    keeper_.write([id = row.id](State& state) { return state.forget_account(id); });
    ++elsewhere;
  }
  if (auto uncertain = state_->accounts_with_intents()) {
    for (const AccountId id : *uncertain) {
      if (Account* account = roster_.find(id)) account->work.compare = true;
    }
  }
  roster_.roots[index].left_behind = elsewhere;
  walks_.tell_of_other_layout(index, elsewhere);
  walks_.walk(index);
  return {};
}

Account& Engine::add_known_account(std::size_t root, const State::AccountRow& row, const std::string& name) {
  Account account;
  account.id = row.id;
  account.root = root;
  account.path = row.path;
  account.name = name;
  account.complete = row.complete;
  account.put_back = roster_.roots[root].put_back;
  account.folders = row.folders;
  account.messages = row.messages;
  account.bytes = row.bytes;
  account.extra = number_in(*state_, "extra:" + std::to_string(row.id));
  account.drained_since = static_cast<std::int64_t>(number_in(*state_, key_of_drained_since(row.id)));
  account.gone_noted =
      static_cast<std::int64_t>(number_in(*state_, key_of_gone(roster_.roots[root].config.name, row.path)));
  account.awaits_discovery = true;
  return roster_.accounts.emplace(row.id, std::move(account)).first->second;
}

Result<> Engine::reload(config::Agent config, LinkSettings link) {
  config_.transfer = config.transfer;
  for (auto& root : roster_.roots) {
    if (!root.removed) MAILDIRSYNC_TRY(reload_root(root, config));
  }
  for (const auto& added : config.roots) {
    if (roster_.find_root(added.name) != nullptr) continue;
    MAILDIRSYNC_TRY(add_root(added, Agreements::When::while_running));
    service::log_info("root-added root={}", added.name);
  }
  if (config.watch.backend != config_.watch.backend) {
    service::log_warning(
        "reload-incomplete key=watch.backend detail=\"{} goes on watching until the agent is restarted\"",
        watcher_->backend());
  }
  const bool another_receiver = link.receiver_fingerprint != lanes_.settings().receiver_fingerprint;
  config_ = std::move(config);
  link.bandwidth_limit = lanes_.settings().bandwidth_limit;
  lanes_.use(std::move(link));
  follow_timetable();
  if (another_receiver) {
    for (auto& root : roster_.roots)
      MAILDIRSYNC_TRY(destinations_.recall(root));
  }
  return {};
}

Result<> Engine::reload_root(Root& root, const config::Agent& config) {
  const auto kept = std::find_if(config.roots.begin(), config.roots.end(),
                                 [&](const config::AgentRoot& one) { return one.name == root.config.name; });
  if (kept == config.roots.end()) {
    drop_root(root);
    return {};
  }
  MAILDIRSYNC_ASSIGN(auto layout, maildir::Layout::parse(kept->accounts));
  const std::size_t index = roster_.index_of(root);
  const bool other_mode = root.config.mode != kept->mode;
  const bool other_places = root.config.path != kept->path || root.config.accounts != kept->accounts ||
                            root.config.include != kept->include || root.config.exclude != kept->exclude;
  if (other_places) root.found_everywhere.clear();  // by that configuration
  root.config = *kept;
  root.layout = std::move(layout);
  walks_.drop_accounts_of_other_layout(index);
  if (other_mode) client_->mode_configured(index, kept->mode);
  walks_.walk(index);
  return {};
}

/// It is no longer configured. What was copied stays, and so does what the state knows of it.
void Engine::drop_root(Root& root) {
  root.removed = true;
  for (const Account* account : roster_.accounts_of(roster_.index_of(root)))
    walks_.drop_account(account->id);
  service::log_info("root-removed root={}", root.config.name);
}

}  // namespace maildirsync::agent
