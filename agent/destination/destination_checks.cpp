// What is asked, and how often, is in destination_looks.h.

#include "agent/destination/destination_checks.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <asio/post.hpp>

#include "agent/destination/destination_looks.h"
#include "common/service/log.h"

namespace maildirsync::agent {

/// What users do at a drained root's destination is theirs, and what is not copied yet or held is compared anyway.
bool DestinationChecks::is_looked_after(const Account& account) const {
  const Root& root = roster_.root_of(account);
  return root.mode == config::Mode::mirror && !root.removed && !root.is_held() && account.complete && !account.held &&
         !account.work.compare;
}

void DestinationChecks::check(const std::vector<AccountId>& ids, Done done) {
  std::map<std::string, std::vector<std::pair<AccountId, std::string>>> by_root;
  for (const AccountId id : ids) {
    const Account& account = roster_.accounts.at(id);
    if (is_looked_after(account)) by_root[roster_.root_of(account).config.name].emplace_back(id, account.path);
  }
  if (by_root.empty() || !lanes_.knows_looks()) return done(std::vector<AccountId>());
  const auto link = lanes_.up();
  if (!link) return done(std::nullopt);
  asio::post(askers_, [this, link, epoch = link->outbox().epoch(), by_root = std::move(by_root),
                       done = std::move(done)]() mutable {
    Answer answer;
    for (auto& [root, accounts] : by_root) {
      auto found = find_differing(state_, *link, epoch, root, std::move(accounts));
      if (found) {
        answer.differing.insert(answer.differing.end(), found->begin(), found->end());
      } else {
        answer.failed_root = root;
        answer.error = found.error();
      }
    }
    asio::post(loop_, [this, answer = std::move(answer), done = std::move(done)]() mutable {
      answered(std::move(answer), done);
    });
  });
}

void DestinationChecks::answered(Answer answer, const Done& done) {
  if (roster_.stopping) return;
  for (const AccountId id : answer.differing)
    compare(id);
  schedule_.dispatch();
  if (answer.error && answer.error->code != ErrorCode::destination_gone) {
    service::log_debug("looks-not-checked root={} detail=\"{}\"", answer.failed_root, answer.error->message());
    return done(std::nullopt);
  }
  if (answer.error) {
    if (Root* root = roster_.find_root(answer.failed_root)) destinations_.hold(*root, answer.error->detail);
  }
  done(std::move(answer.differing));
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
}

void DestinationChecks::check_some() {
  constexpr auto k_every = std::chrono::seconds(10);
  constexpr AccountId k_parts = 60;
  const Time now = Clock::now();
  if (now - last_ < k_every) return;
  last_ = now;
  const AccountId part = part_++ % k_parts;
  std::vector<AccountId> ids;
  for (const auto& [id, account] : roster_.accounts) {
    if (id % k_parts == part && !account.turn && account.work.empty()) ids.push_back(id);
  }
  if (!ids.empty()) check(ids, [](const auto&) {});
}

}  // namespace maildirsync::agent
