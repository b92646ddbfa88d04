// What is asked, and how often, is in destination_looks.h.

#include "agent/destination/destination_checks.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "agent/destination/destination_looks.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

/// For accounts that have turn upon turn: after some ten seconds they are compared.
constexpr int k_patience = 1000;
constexpr auto k_between = std::chrono::milliseconds(10);

}  // namespace

/// What users do at a drained root's destination is theirs, and what is not copied yet or held is compared anyway.
bool DestinationChecks::is_looked_after(const Account& account) const {
  const Root& root = roster_.root_of(account);
  return root.mode == config::Mode::mirror && !root.removed && !root.is_held() && account.complete && !account.held &&
         !account.work.compare;
}

void DestinationChecks::check(const std::vector<AccountId>& ids, Done done) {
  ask(std::make_shared<Check>(Check{.ids = ids, .idle = {}, .unasked = {}, .done = std::move(done)}));
}

void DestinationChecks::ask(const std::shared_ptr<Check>& check) {
  std::map<std::string, std::vector<std::pair<AccountId, std::string>>> by_root;
  std::vector<AccountId> busy;
  check->idle.clear();
  for (const AccountId id : check->ids) {
    const Account* account = roster_.find(id);
    if (account == nullptr || !is_looked_after(*account)) continue;
    if (account->turn && check->rounds > 0 && check->rounds < k_patience) {
      busy.push_back(id);
      continue;
    }
    by_root[roster_.root_of(*account).config.name].emplace_back(id, account->path);
    if (!account->turn) check->idle[id] = account->turns;
  }
  check->ids = std::move(busy);
  if (by_root.empty() && !check->ids.empty()) return ask_again(check);
  if (by_root.empty() || !lanes_.knows_looks()) return check->done(check->unasked);
  const auto link = lanes_.up();
  if (!link) {
    check->unasked.push_back({"", {ErrorCode::cancelled, "", "the receiver is not connected", 0}});
    return check->done(check->unasked);
  }
  asio::post(askers_, [this, link, epoch = link->outbox().epoch(), by_root = std::move(by_root), check] {
    Answer answer;
    for (const auto& [root, accounts] : by_root) {
      const auto found = find_differing(state_, *link, epoch, root, accounts);
      if (found) {
        answer.differing.insert(answer.differing.end(), found->begin(), found->end());
        answer.looked_at.push_back(root);
      } else {
        answer.unasked.push_back({root, found.error()});
      }
    }
    asio::post(loop_, [this, answer = std::move(answer), check]() mutable { answered(check, std::move(answer)); });
  });
}

void DestinationChecks::answered(const std::shared_ptr<Check>& check, Answer answer) {
  if (roster_.stopping) return;
  for (const AccountId id : answer.differing) {
    const Account* account = roster_.find(id);
    if (account == nullptr) continue;
    const auto idle = check->idle.find(id);
    const bool had_a_turn = idle == check->idle.end() || account->turn || account->turns != idle->second;
    if (had_a_turn && check->rounds < k_patience) {
      check->ids.push_back(id);
    } else {
      compare(id);
    }
  }
  schedule_.dispatch();
  for (const auto& root : answer.looked_at)
    can_be_used(root, std::nullopt);
  for (const auto& [root, error] : answer.unasked) {
    can_be_used(root, error);
    if (error.code != ErrorCode::destination_gone) check->unasked.push_back({root, error});
  }
  if (check->ids.empty()) return check->done(check->unasked);
  ask_again(check);
}

/// What the receiver says of a whole root counts whether or not mail waits for it. A turn that succeeds there ends it,
/// too.
void DestinationChecks::can_be_used(const std::string& name, const std::optional<Error>& error) {
  if (error) service::log_debug("looks-not-checked root={} detail=\"{}\"", name, error->message());
  Root* root = roster_.find_root(name);
  if (root == nullptr) return;
  if (error && error->code == ErrorCode::destination_gone) return destinations_.hold(*root, error->detail);
  const bool is_of_root =
      error && error->path.empty() && error->code != ErrorCode::cancelled && error->code != ErrorCode::state;
  if (error && !is_of_root) return;
  root->looks_refused = error.has_value();
  if (!error || root->distant_trouble) return;
  log_problem(to_string(error->code), root->config.name, "", "", error->message());
  root->distant_trouble = Problem{error->code, "", error->message()};
  root->distant_trouble->since = Clock::now();
}

/// What a turn under way changes there looks otherwise than it was left, and is nobody else's work.
void DestinationChecks::ask_again(const std::shared_ptr<Check>& check) {
  ++check->rounds;
  const auto timer = std::make_shared<asio::steady_timer>(loop_, k_between);
  timer->async_wait([this, timer, check](const asio::error_code& error) {
    if (!error && !roster_.stopping) ask(check);
  });
}

void DestinationChecks::compare(AccountId id) {
  Account* account = roster_.find(id);
  if (account == nullptr || roster_.root_of(*account).mode != config::Mode::mirror) return;
  service::log_info("destination-differs root={} account={} action=\"it is compared\"",
                    roster_.root_of(*account).config.name, account->name);
  must_be_compared_first(*account);
  account->wanted_generation = schedule_.generation();
  schedule_.add(*account);
}

void DestinationChecks::check_all() {
  std::vector<AccountId> ids;
  for (const auto& [id, account] : roster_.accounts)
    ids.push_back(id);
  check(ids, [](const auto&) {});
  list_accounts([] {});
}

void DestinationChecks::list_accounts(std::function<void()> done) {
  take(std::make_shared<Census>(Census{.unknown = {}, .is_second = false, .done = std::move(done)}));
}

/// Of a root that was not walked as a whole nobody knows what the source has.
void DestinationChecks::take(const std::shared_ptr<Census>& census) {
  struct Listed {
    std::size_t root;
    std::string name, pattern;
  };
  std::vector<Listed> roots;
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    const Root& root = roster_.roots[i];
    const bool is_asked = root.mode == config::Mode::mirror && !root.removed && !root.is_held() && root.discovered &&
                          root.walked_whole && (!census->is_second || !census->unknown[i].empty());
    if (is_asked) roots.push_back({i, root.config.name, root.config.accounts});
  }
  const auto link = lanes_.up();
  if (roots.empty() || !link) return census->done();
  asio::post(askers_, [this, census, link, epoch = link->outbox().epoch(), roots = std::move(roots)] {
    std::map<std::size_t, std::vector<std::string>> listed;
    for (const auto& root : roots) {
      auto accounts = ask_for_accounts(*link, epoch, root.name, root.pattern);
      if (accounts) listed.emplace(root.root, std::move(*accounts));
    }
    asio::post(loop_, [this, census, listed = std::move(listed)] {
      if (!roster_.stopping) taken(census, listed);
    });
  });
}

/// Taken twice where others are found than before: one that comes or goes meanwhile is none.
void DestinationChecks::taken(const std::shared_ptr<Census>& census,
                              const std::map<std::size_t, std::vector<std::string>>& listed) {
  constexpr auto k_look_again = std::chrono::seconds(1);
  bool again = false;
  for (const auto& [index, accounts] : listed) {
    auto unknown = unknown_in(index, accounts);
    if (census->is_second) {
      const auto& first = census->unknown[index];
      std::erase_if(unknown, [&](const std::string& account) { return !first.contains(account); });
    }
    auto& known = roster_.roots[index].only_there;
    const bool is_known = std::equal(unknown.begin(), unknown.end(), known.begin(), known.end());
    if (is_known || unknown.empty() || census->is_second) {
      known.assign(unknown.begin(), unknown.end());
    } else {
      again = true;
    }
    census->unknown[index] = std::move(unknown);
  }
  if (!again) return census->done();
  census->is_second = true;
  const auto timer = std::make_shared<asio::steady_timer>(loop_, k_look_again);
  timer->async_wait([this, timer, census](const asio::error_code& error) {
    if (!error && !roster_.stopping) take(census);
  });
}

std::set<std::string> DestinationChecks::unknown_in(std::size_t index, const std::vector<std::string>& listed) const {
  const Root& root = roster_.roots[index];
  std::unordered_set<std::string_view> known;
  for (const Account* account : roster_.accounts_of(index))
    known.insert(account->path);
  std::set<std::string> unknown;
  for (const auto& path : listed) {
    const auto name = root.layout.account_name(path);
    const bool is_ours = name && maildir::is_included(root.config.include, root.config.exclude, *name);
    if (is_ours && !known.contains(path)) unknown.insert(*name);
  }
  return unknown;
}

void DestinationChecks::check_some() {
  constexpr auto k_every = std::chrono::seconds(10);
  constexpr AccountId k_parts = 60;
  const Time now = Clock::now();
  if (now - last_ < k_every) return;
  last_ = now;
  ask_whether_usable();
  const AccountId part = part_++ % k_parts;
  if (part == 0) list_accounts([] {});
  std::vector<AccountId> ids;
  for (const auto& [id, account] : roster_.accounts) {
    if (id % k_parts == part && !account.turn && account.work.empty()) ids.push_back(id);
  }
  if (!ids.empty()) check(ids, [](const auto&) {});
}

/// Only of what was filled: an empty directory at the destination is taken when mail comes for it.
void DestinationChecks::ask_whether_usable() {
  std::map<std::string, std::string> roots;  ///< each with an account of it
  for (const auto& [id, account] : roster_.accounts) {
    if (account.messages > 0 && is_looked_after(account)) {
      roots.try_emplace(roster_.root_of(account).config.name, account.path);
    }
  }
  const auto link = lanes_.up();
  if (roots.empty() || !link || !lanes_.knows_looks() || is_asking_whether_usable_) return;
  is_asking_whether_usable_ = true;
  asio::post(askers_, [this, link, epoch = link->outbox().epoch(), roots = std::move(roots)] {
    std::map<std::string, Result<>> answers;
    for (const auto& [root, account] : roots)
      answers.emplace(root, agent::ask_whether_usable(*link, epoch, root, account));
    asio::post(loop_, [this, answers = std::move(answers)] {
      is_asking_whether_usable_ = false;
      if (roster_.stopping) return;
      for (const auto& [root, usable] : answers)
        can_be_used(root, usable ? std::nullopt : std::optional(usable.error()));
    });
  });
}

}  // namespace maildirsync::agent
