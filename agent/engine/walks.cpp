// The accounts of the roots, as walks find them: new ones, vanished ones, and roots that are held.

#include "agent/engine/walks.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <asio/post.hpp>

#include "agent/engine/root_hold.h"
#include "common/os/clock.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_away_for_a_moment = 1s;

bool is_included(const Root& root, const std::string& account) {
  return config::takes(root.config, account);
}

/// By the configuration as it is now: that of the walk may be older.
bool is_ours(const Root& root, const Discovery::Found& account) {
  return is_included(root, account.name) && root.layout.account_name(account.path);
}

}  // namespace

Walks::Walks(const Given& given)
    : loop_(given.loop),
      threads_(given.threads),
      roster_(given.roster),
      state_(given.state),
      watcher_(given.watcher),
      keeper_(given.keeper),
      holds_(given.holds),
      mounts_(given.mounts),
      schedule_(given.schedule),
      unclean_ends_(given.unclean_ends),
      agreements_(given.agreements),
      overlaps_(given.overlaps),
      changed_(given.changed) {}

/// After a reload, of the accounts of another layout: they are not gone, but under other paths now. Those are compared
/// with the destination, which adopts what is there. What the state knows of the old paths is forgotten at the next
/// start; a turn of one may still be under way.
void Walks::drop_accounts_of_other_layout(std::size_t index) {
  std::size_t dropped = 0;
  for (const Account* account : roster_.accounts_of(index)) {
    if (roster_.roots[index].layout.account_name(account->path)) continue;
    drop_account(account->id);
    ++dropped;
  }
  roster_.roots[index].left_behind += dropped;
  tell_of_other_layout(index, dropped);
}

void Walks::tell_of_other_layout(std::size_t index, std::size_t accounts) const {
  if (accounts == 0) return;
  service::log_info(
      "layout-changed root={} accounts={} pattern=\"{}\" action=\"nothing is deleted or copied: the accounts "
      "are compared with the destination under their new paths\"",
      roster_.roots[index].config.name, accounts, roster_.roots[index].config.accounts);
}

void Walks::walk(std::size_t index) {
  Root& root = roster_.roots[index];
  if (root.removed || roster_.stopping) return;
  if (root.discovering) {
    root.discover_again = true;
    return;
  }
  root.discovering = true;
  const Search search = overlaps_.search_of(root, std::exchange(root.next_search, Search::beside));
  root.walk = std::make_shared<os::Pulse>();
  threads_.post([this, index, search, look = overlaps_.begin_look(root), config = root.config, layout = root.layout,
                 pulse = root.walk] {
    pulse->begin();
    auto found =
        std::make_shared<Discovery>(discover(config, static_cast<std::uint32_t>(index), layout, watcher_, search));
    meet_again(found->markers, look.known, found->real_path);
    pulse->end();
    asio::post(loop_, [this, index, found, look, search] {
      if (!roster_.stopping) overlaps_.walked(index, look, *found);
      walked(index, *found, search);
    });
  });
}

std::vector<std::uint64_t> Walks::walk_all(Search search) {
  std::vector<std::uint64_t> walks;
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    // A walk that is under way may have passed the place already: the next one counts.
    Root& root = roster_.roots[i];
    root.next_search = std::max(root.next_search, search);
    walks.push_back(root.discoveries + (root.discovering ? 2 : 1));
    walk(i);
  }
  return walks;
}

bool Walks::have_walked(const std::vector<std::uint64_t>& walks) const {
  bool walked = true;
  for (std::size_t i = 0; i < walks.size() && i < roster_.roots.size(); ++i)
    walked &= roster_.roots[i].removed || roster_.roots[i].discoveries >= walks[i];
  return walked;
}

/// By a person's word it is not held, as long as there is a directory.
bool Walks::must_hold(Root& root, const Discovery& discovery) {
  using Directory = WalkedRoot::Directory;
  const bool is_read = discovery.error.detail.empty();
  const auto known = roster_.accounts_of(roster_.index_of(root));
  const auto expected = static_cast<std::size_t>(
      std::count_if(known.begin(), known.end(), [&](const Account* one) { return is_included(root, one->name); }));
  const std::string reason = reason_to_hold({.path = root.config.path,
                                             .directory = !discovery.directory ? Directory::missing
                                                          : is_read            ? Directory::read
                                                                               : Directory::unreadable,
                                             .trouble = discovery.error.message(),
                                             .known = expected,
                                             .found = discovery.accounts.size(),
                                             .file_system = discovery.file_system,
                                             .file_system_then = root.file_system,
                                             .inode = discovery.identity.inode,
                                             .inode_then = root.inode});
  const bool hold = !reason.empty() && !(root.released && discovery.directory);
  if (hold && !root.held) service::log_warning("root-held root={} reason=\"{}\"", root.config.name, reason);
  if (!hold && root.held) service::log_info("root-resumed root={}", root.config.name);
  if (hold && !root.held) root.held_since = Clock::now();
  root.held = hold;
  root.hold_reason = hold ? reason +
                                "; nothing is deleted at the destination. Is it mounted? If it is meant to be so: "
                                "maildirsync release"
                          : "";
  return hold;
}

void Walks::walked(std::size_t index, const Discovery& discovery, Search search) {
  if (roster_.stopping) return;
  Root& root = roster_.roots[index];
  const bool is_another = root.directory && discovery.directory && root.identity != discovery.identity;
  root.directory = discovery.directory;
  root.identity = discovery.identity;
  root.real_path = discovery.real_path;
  root.walked_whole = discovery.whole;
  root.unreadable.reset();
  if (discovery.directory && !discovery.error.detail.empty()) root.unreadable = discovery.error;
  note_problems(root, discovery, search);
  drop_excluded(index);
  if (must_hold(root, discovery)) return ended(index);
  auto added = take_over(index, find_accounts(index, discovery, is_another));
  if (added.empty()) return ended(index);
  // The state gives each its number, which may take a while.
  threads_.post([this, index, name = root.config.name, added = std::move(added)]() mutable {
    auto numbered = std::make_shared<std::vector<Added>>();
    for (auto& account : added) {
      if (const auto id = state_.account(name, account.path)) {
        numbered->push_back({*id, std::move(account)});
      } else {
        keeper_.failed(id.error());
      }
    }
    asio::post(loop_, [this, index, numbered] {
      for (const auto& account : *numbered)
        add_account(index, account);
      ended(index);
    });
  });
}

void Walks::ended(std::size_t index) {
  if (roster_.stopping) return;
  Root& root = roster_.roots[index];
  root.discovering = false;
  ++root.discoveries;
  if (std::exchange(root.discover_again, false)) walk(index);
  overlaps_.check();
  schedule_.dispatch();
  changed_();
}

void Walks::note_problems(Root& root, const Discovery& discovery, Search search) {
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
  for (const auto& problem : discovery.problems)
    root.problems.push_back({problem.code, problem.path, problem.detail});
  for (auto& problem : root.problems) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const Problem& one) {
      return one.path == problem.path && one.code == problem.code;
    });
    problem.since = known == before.end() ? Clock::now() : known->since;
    if (known == before.end()) {
      log_problem(to_string(problem.code), root.config.name, "", problem.path, problem.detail);
    }
  }
}

/// After a walk that holds nothing back; gives those that are new.
std::vector<Discovery::Found> Walks::find_accounts(std::size_t index, const Discovery& discovery, bool is_another) {
  Root& root = roster_.roots[index];
  root.discovered = true;
  // A release is made use of once its accounts are gone, or some are found again: with no receiver to tell, a root that
  // is still empty is walked more than once before that.
  const bool has_accounts = roster_.has_accounts(index);
  if (root.released && !has_accounts) agreements_.releases().forget(root);
  if (!has_accounts || !discovery.accounts.empty()) root.released = false;
  root.misses_accounts = false;
  std::unordered_set<std::string> found;
  for (const auto& account : discovery.accounts)
    found.insert(account.path);
  for (Account* account : roster_.accounts_of(index)) {
    const bool was_found = found.erase(account->path) > 0;
    if (!is_included(root, account->name)) continue;  // another root's walk finds it, and takes it
    if (mounts_.hold(*account, root.mounts, discovery.mounts)) continue;
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
    schedule_.add(*account);  // also what waited while the root was held
  }
  if (discovery.directory) mounts_.remember(root, discovery.mounts, discovery.file_system, discovery.identity.inode);
  std::vector<Discovery::Found> added;
  std::copy_if(discovery.accounts.begin(), discovery.accounts.end(), std::back_inserter(added),
               [&](const auto& account) { return found.contains(account.path) && is_ours(root, account); });
  return added;
}

/// It may be away for a moment only. A drained root takes nothing away, and where nothing is there nothing goes; there
/// the account's own turn makes sure.
void Walks::is_not_found(Account& account, bool whole_walk) {
  if (!whole_walk) return;
  Root& root = roster_.root_of(account);
  if (account.is_gone() && root.mode == config::Mode::mirror) return;
  if (account.is_gone()) holds_.end(account, "account-resumed");
  if (!account.missing_since) account.missing_since = Clock::now();
  // A turn that found the account gone before this was known waits for this answer as well.
  const bool is_known = account.gone_confirmed && !account.awaits_discovery;
  if (is_known) return;
  const bool has_nothing = account.folders == 0 && account.messages == 0;
  const bool may_go = root.mode == config::Mode::drain || account.released || has_nothing;
  if (account.turn || (!may_go && Clock::now() - *account.missing_since < k_away_for_a_moment)) {
    root.misses_accounts = true;
  } else if (may_go) {
    account.gone_confirmed = true;
    account.awaits_discovery = false;
    account.work.structure = true;
    schedule_.delay(account, k_away_for_a_moment);
  } else {
    holds_.hold_gone(account);
  }
}

void Walks::is_found(Account& account) {
  account.missing_since.reset();
  if (!account.is_gone()) return;
  account.work.structure = true;
  holds_.end(account, "account-returned");
}

/// What was copied stays, and so does what the state knows of it. One that another root of the tree takes waits for it.
void Walks::drop_excluded(std::size_t index) {
  for (Account* account : roster_.accounts_of(index)) {
    const bool left = std::exchange(account->leaves, false);
    if (is_included(roster_.roots[index], account->name)) continue;
    if (const Root* next = next_root_of(*account)) {
      account->leaves = may_move(*account, *next);
      if (account->leaves && !left) walk(roster_.index_of(*next));
      continue;
    }
    service::log_info("account-excluded root={} account={}", roster_.roots[index].config.name, account->name);
    drop_account(account->id);
    ++roster_.roots[index].left_behind;
  }
}

/// Into a drained root only what was copied as a whole: there, mail from before counts as given. Until then it is
/// mirrored on.
bool Walks::may_move(const Account& account, const Root& to) {
  return to.mode != config::Mode::drain || account.complete;
}

/// Another root of the same tree that takes the account now; nullptr when none does.
const Root* Walks::next_root_of(const Account& account) const {
  const Root& root = roster_.root_of(account);
  const auto takes = [&](const Root& other) {
    return &other != &root && !other.removed && other.config.path == root.config.path &&
           config::takes(other.config, account.name) && other.layout.account_name(account.path) == account.name;
  };
  const auto found = std::find_if(roster_.roots.begin(), roster_.roots.end(), takes);
  return found == roster_.roots.end() ? nullptr : &*found;
}

/// Accounts that another root of the same tree has, and that its configuration does not give it any more, come here
/// with what was acknowledged of them. Gives those that are new, or that both roots take.
std::vector<Discovery::Found> Walks::take_over(std::size_t index, std::vector<Discovery::Found> found) {
  roster_.roots[index].awaits_copies = false;
  if (found.empty()) return found;
  std::unordered_map<std::string_view, Account*> elsewhere;
  for (auto& [id, account] : roster_.accounts) {
    const Root& other = roster_.root_of(account);
    const bool is_same_tree = account.root != index && other.config.path == roster_.roots[index].config.path;
    if (is_same_tree && !is_included(other, account.name)) elsewhere.emplace(account.path, &account);
  }
  std::erase_if(found, [&](const Discovery::Found& one) {
    const auto other = elsewhere.find(one.path);
    if (other == elsewhere.end()) return false;
    Account& account = *other->second;
    elsewhere.erase(other);
    take_over(index, one, account);
    return true;
  });
  return found;
}

void Walks::take_over(std::size_t index, const Discovery::Found& found, Account& from) {
  Root& root = roster_.roots[index];
  if (!may_move(from, root)) {
    root.awaits_copies = true;
    from.awaits_discovery = false;
    from.work.structure = true;
    return schedule_.add(from);
  }
  if (from.turn || from.held) {
    root.misses_accounts = true;  // the next walk takes it
    return;
  }
  const Root& before = roster_.root_of(from);
  const bool is_drained_now = root.mode == config::Mode::drain && before.mode == config::Mode::mirror;
  service::log_info("account-moved account={} root={} from={}", found.name, root.config.name, before.config.name);
  Account account;
  account.id = from.id;
  account.root = index;
  account.path = found.path;
  account.name = found.name;
  account.queued = from.queued;
  account.complete = from.complete;
  account.folders = from.folders;
  account.messages = from.messages;
  account.bytes = from.bytes;
  account.wanted_generation = from.wanted_generation;
  account.put_back = root.put_back;
  account.drained_since = is_drained_now ? os::wall_clock() : from.drained_since;
  account.work.structure = true;
  account.work.compare = true;
  keeper_.write([id = from.id, name = root.config.name](State& state) { return state.move_account(id, name); });
  keeper_.set_value(key_of_drained_since(from.id), std::to_string(account.drained_since));
  from = std::move(account);
  schedule_.add(from);
}

void Walks::add_account(std::size_t index, const Added& added) {
  const Root& root = roster_.roots[index];
  if (root.removed || !is_ours(root, added.found)) return;  // a walk by the configuration before the last reload
  Account account;
  account.id = added.id;
  account.root = index;
  account.path = added.found.path;
  account.name = added.found.name;
  account.work.structure = true;
  account.work.compare = true;
  service::log_event(
      {service::Severity::info, "account-started", {{"root", root.config.name}, {"account", account.name}}});
  const bool after_first_look = root.discoveries > 0;
  if (after_first_look) account.work.oldest = Clock::now();
  schedule_.add(roster_.accounts.insert_or_assign(added.id, std::move(account)).first->second);
}

void Walks::drop_account(AccountId id) {
  watcher_.forget_account(id);
  if (const Account* account = roster_.find(id)) roster_.root_of(*account).in_use.erase(id);
  roster_.accounts.erase(id);
  unclean_ends_.check();
}

}  // namespace maildirsync::agent
