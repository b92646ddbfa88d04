// The accounts of the roots, as walks find them: new ones, vanished ones, and roots that are held.

#include <algorithm>
#include <cstdlib>
#include <set>
#include <unordered_set>
#include <utility>

#include <asio/post.hpp>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "common/os/file_system.h"
#include "common/service/event.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

bool is_ours(const Root& root, const std::string& account) {
  return maildir::is_included(root.config.include, root.config.exclude, account);
}

}  // namespace

Result<> Engine::add_root(const config::AgentRoot& config) {
  auto layout = maildir::Layout::parse(config.accounts);
  if (!layout) return Failure(layout.error());
  Root root{.config = config, .layout = std::move(*layout), .directory = nullptr, .mode = config.mode};
  MAILDIRSYNC_TRY(recall_destination(root));
  MAILDIRSYNC_TRY(recall_mounts(root));
  auto rows = state_->accounts(config.name);
  if (!rows) return Failure(rows.error());
  // An account that was found, and of which nothing was acknowledged, says nothing: the first decision comes before the
  // first operation.
  root.agreement.known_before = std::any_of(
      rows->begin(), rows->end(), [](const State::AccountRow& row) { return row.complete || row.folders > 0; });
  roots_.push_back(std::move(root));
  const std::size_t index = roots_.size() - 1;
  if (const auto acls = state_->value("acls:" + config.name); acls && *acls) {
    roots_[index].acls = std::strtoull((*acls)->c_str(), nullptr, 10);
  }
  MAILDIRSYNC_TRY(begin_decisions(index));
  const bool compares = roots_[index].agreement.comparing;
  std::set<std::string> released;
  for (const auto& release : decisions_->book().releases) {
    if (release.root != config.name) continue;
    if (!release.account.empty()) released.insert(release.account);
    roots_[index].released |= release.account.empty() && release.code == to_string(ErrorCode::root_gone);
  }
  std::size_t elsewhere = 0;
  for (const auto& row : *rows) {
    const auto name = roots_[index].layout.account_name(row.path);
    if (!name) {
      // Found by another layout, and not gone: what it has there is compared under its present path.
      asio::post(keeper_, [this, id = row.id] {
        if (const auto forgotten = state_->forget_account(id); !forgotten) keeper_failed(forgotten.error());
      });
      ++elsewhere;
      continue;
    }
    Account account;
    account.id = row.id;
    account.root = index;
    account.path = row.path;
    account.name = *name;
    account.complete = row.complete;
    account.folders = row.folders;
    account.messages = row.messages;
    account.bytes = row.bytes;
    if (const auto extra = state_->value("extra:" + std::to_string(row.id)); extra && *extra) {
      account.extra = std::strtoull((*extra)->c_str(), nullptr, 10);
    }
    account.work.compare = compare_all_ || !row.complete || compares;
    account.released = roots_[index].released || released.contains(row.path);
    account.awaits_discovery = true;
    accounts_.emplace(row.id, std::move(account));
  }
  if (auto uncertain = state_->accounts_with_intents()) {
    for (const AccountId id : *uncertain) {
      if (const auto found = accounts_.find(id); found != accounts_.end()) found->second.work.compare = true;
    }
  }
  tell_of_other_layout(index, elsewhere);
  discover_root(index);
  return {};
}

/// After a reload, of the accounts of another layout: they are not gone, but under other paths now. Those are compared
/// with the destination, which adopts what is there. What the state knows of the old paths is forgotten at the next
/// start; a turn of one may still be under way.
void Engine::drop_accounts_of_other_layout(std::size_t index) {
  std::size_t dropped = 0;
  for (const Account* account : accounts_of(index)) {
    if (roots_[index].layout.account_name(account->path)) continue;
    drop_account(account->id);
    ++dropped;
  }
  tell_of_other_layout(index, dropped);
}

void Engine::tell_of_other_layout(std::size_t index, std::size_t accounts) const {
  if (accounts == 0) return;
  spdlog::info(
      "layout-changed root={} accounts={} pattern=\"{}\" action=\"nothing is deleted or copied: the accounts "
      "are compared with the destination under their new paths\"",
      roots_[index].config.name, accounts, roots_[index].config.accounts);
}

void Engine::discover_root(std::size_t index) {
  Root& root = roots_[index];
  if (root.removed || stopping_) return;
  if (root.discovering) {
    root.discover_again = true;
    return;
  }
  root.discovering = true;
  const Search search = std::exchange(root.next_search, Search::beside);
  asio::post(walkers_, [this, index, search, config = root.config, layout = root.layout] {
    auto found =
        std::make_shared<Discovery>(discover(config, static_cast<std::uint32_t>(index), layout, *watcher_, search));
    asio::post(loop_, [this, index, found, search] { discovered(index, std::move(*found), search); });
  });
}

std::vector<std::uint64_t> Engine::walk_roots(Search search) {
  std::vector<std::uint64_t> discoveries;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    // A walk that is under way may have passed the place already: the next one counts.
    roots_[i].next_search = std::max(roots_[i].next_search, search);
    discoveries.push_back(roots_[i].discoveries + (roots_[i].discovering ? 2 : 1));
    discover_root(i);
  }
  return discoveries;
}

bool Engine::have_walked(const std::vector<std::uint64_t>& discoveries) const {
  bool walked = true;
  for (std::size_t i = 0; i < discoveries.size() && i < roots_.size(); ++i)
    walked &= roots_[i].removed || roots_[i].discoveries >= discoveries[i];
  return walked;
}

std::vector<Account*> Engine::accounts_of(std::size_t root) {
  std::vector<Account*> found;
  for (auto& [id, account] : accounts_) {
    if (account.root == root) found.push_back(&account);
  }
  return found;
}

bool Engine::has_accounts(std::size_t root) const {
  return std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& known) { return known.second.root == root; });
}

/// An unmounted or emptied root must not look like mail that people deleted.
bool Engine::must_hold(Root& root, const Discovery& discovery) {
  const std::size_t known = accounts_of(static_cast<std::size_t>(&root - roots_.data())).size();
  std::string reason;
  if (!discovery.directory) {
    reason = "the root cannot be opened (" + discovery.error.message() + ")";
  } else if (known > 0 && discovery.accounts.empty() && !discovery.error.detail.empty()) {
    reason = "the root cannot be read (" + discovery.error.message() + ")";
  } else if (known > 0 && discovery.accounts.empty()) {
    reason = "the root " + root.config.path + " is empty where there were " + std::to_string(known) + " accounts";
  }
  if (reason.empty() && known > 0 && os::is_another_file_system(root.file_system, discovery.file_system)) {
    reason = "the root " + root.config.path + " is on another file system (" + discovery.file_system +
             ") than before (" + root.file_system + ")";
  }
  const bool hold = !reason.empty() && !(root.released && discovery.directory);
  if (hold && !root.held) spdlog::warn("root-held root={} reason=\"{}\"", root.config.name, reason);
  if (!hold && root.held) spdlog::info("root-resumed root={}", root.config.name);
  if (hold && !root.held) root.held_since = Clock::now();
  root.held = hold;
  root.hold_reason = hold ? reason +
                                "; nothing is deleted at the destination. Is it mounted? If it is meant to be so: "
                                "maildirsync release"
                          : "";
  return hold;
}

/// After a reload: no longer ours to mirror. What was copied stays, and so does what the state knows of it.
void Engine::drop_excluded(std::size_t index) {
  for (const Account* account : accounts_of(index)) {
    if (is_ours(roots_[index], account->name)) continue;
    spdlog::info("account-excluded root={} account={}", roots_[index].config.name, account->name);
    drop_account(account->id);
  }
}

void Engine::discovered(std::size_t index, Discovery discovery, Search search) {
  if (stopping_) return;
  Root& root = roots_[index];
  root.discovering = false;
  ++root.discoveries;
  const bool is_another = root.directory && discovery.directory && root.identity != discovery.identity;
  root.directory = discovery.directory;
  root.identity = discovery.identity;
  root.real_path = std::move(discovery.real_path);
  root.unreadable.reset();
  if (discovery.directory && !discovery.error.detail.empty()) root.unreadable = discovery.error;
  const auto before = std::exchange(root.problems, {});
  if (search == Search::everywhere) root.found_everywhere.clear();
  for (const auto& left_out : discovery.left_out) {
    root.problems.push_back({left_out.code, left_out.path, left_out.detail});
    if (search == Search::everywhere) root.found_everywhere.push_back(root.problems.back());
  }
  // What a walk that searches less does not see is there still, for all we know.
  for (const auto& found : root.found_everywhere) {
    const auto is_same = [&](const Problem& one) { return one.path == found.path; };
    if (std::none_of(root.problems.begin(), root.problems.end(), is_same)) root.problems.push_back(found);
  }
  for (const auto& error : discovery.problems)
    root.problems.push_back({error.code, error.path, error.message()});
  for (auto& problem : root.problems) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const Problem& one) {
      return one.path == problem.path && one.code == problem.code;
    });
    problem.since = known == before.end() ? Clock::now() : known->since;
    if (known == before.end()) {
      log_problem(to_string(problem.code), root.config.name, "", problem.path, problem.detail);
    }
  }
  std::unordered_set<std::string> found;
  for (const auto& account : discovery.accounts)
    found.insert(account.path);
  drop_excluded(index);
  const auto known = accounts_of(index);
  if (!must_hold(root, discovery)) {
    root.discovered = true;
    if (std::exchange(root.released, false) && known.empty()) forget_release(root);
    root.misses_accounts = false;
    for (Account* account : known) {
      const bool was_found = found.erase(account->path) > 0;
      if (hold_for_mounts_above(*account, root.mounts, discovery.mounts)) continue;
      if (!was_found) {
        is_not_found(*account, discovery.whole);
        continue;
      }
      is_found(*account);
      if (account->awaits_discovery || account->gone_confirmed || is_another) {
        account->gone_confirmed = false;
        account->awaits_discovery = false;
        account->work.structure = true;
      }
      schedule(*account);  // also what waited while the root was held
    }
    remember_mounts(root, discovery.mounts);
    for (const auto& account : discovery.accounts) {
      if (!found.contains(account.path) || !is_ours(root, account.name)) continue;
      if (!root.layout.account_name(account.path)) continue;  // a walk by the layout before the last reload
      if (Account* added = add_account(index, account.path, account.name)) schedule(*added);
    }
  }
  if (root.discover_again) {
    root.discover_again = false;
    discover_root(index);
  }
  dispatch();
  check_flushes();
  check_plans();
}

Account* Engine::add_account(std::size_t root, const std::string& path, const std::string& name) {
  auto id = state_->account(roots_[root].config.name, path);
  if (!id) {
    keeper_failed(id.error());
    return nullptr;
  }
  Account account;
  account.id = *id;
  account.root = root;
  account.path = path;
  account.name = name;
  account.work.structure = true;
  account.work.compare = true;
  service::log_event(
      {service::Severity::info, "account-started", {{"root", roots_[root].config.name}, {"account", name}}});
  const bool after_first_look = roots_[root].discoveries > 1;
  if (after_first_look) account.work.oldest = Clock::now();
  return &accounts_.insert_or_assign(*id, std::move(account)).first->second;
}

void Engine::drop_account(AccountId id) {
  watcher_->forget_account(id);
  accounts_.erase(id);
  check_looked_again();
}

}  // namespace maildirsync::agent
