// The check of the destination's tree, one look a folder: at each new session, by each flush, and slowly all the time.

#include "agent/requests/destination_check.h"

#include <algorithm>
#include <thread>
#include <unordered_set>

#include <asio/post.hpp>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_question_bytes = 128 * 1024;
constexpr std::size_t k_folder_overhead = 16;
constexpr int k_rounds = 3;
constexpr auto k_between_rounds = std::chrono::milliseconds(30);

}  // namespace

bool must_be_compared(const BelievedLooks& account) {
  return std::any_of(account.folders.begin(), account.folders.end(),
                     [](const auto& folder) { return folder.second == 0; });
}

std::vector<LooksQuestion> looks_questions(const std::string& root, const std::vector<BelievedLooks>& accounts) {
  std::vector<LooksQuestion> questions;
  std::size_t size = k_question_bytes;
  for (const auto& account : accounts) {
    if (size >= k_question_bytes) {
      questions.emplace_back().list.set_root(root);
      size = 0;
    }
    auto& believed = *questions.back().list.add_believed();
    believed.set_account(account.path);
    for (const auto& [folder, look] : account.folders) {
      believed.add_folders(folder);
      believed.add_stamps(look);
      size += folder.size() + k_folder_overhead;
    }
    size += account.path.size() + k_folder_overhead;
    questions.back().accounts.push_back(account.account);
  }
  return questions;
}

namespace {

Result<std::unordered_set<AccountId>> find_differing_once(State& state, Link& link, std::uint64_t epoch,
                                                          const std::string& root,
                                                          const std::vector<std::pair<AccountId, std::string>>& of) {
  std::unordered_set<AccountId> differing;
  std::vector<BelievedLooks> to_ask;
  for (const auto& [id, path] : of) {
    auto looks = state.looks(id);
    if (!looks) return Failure(looks.error());
    if (looks->empty()) continue;  // nothing was ever sent of it
    BelievedLooks believed{id, path, std::move(*looks)};
    if (must_be_compared(believed)) {
      differing.insert(id);
    } else {
      to_ask.push_back(std::move(believed));
    }
  }
  for (const auto& question : looks_questions(root, to_ask)) {
    const auto answer = ask_for_differing(link, epoch, question.list);
    if (!answer) return Failure(answer.error());
    for (const std::uint32_t index : *answer) {
      if (index < question.accounts.size()) differing.insert(question.accounts[index]);
    }
  }
  return differing;
}

}  // namespace

Result<std::vector<AccountId>> find_differing(State& state, Link& link, std::uint64_t epoch, const std::string& root,
                                              std::vector<std::pair<AccountId, std::string>> accounts) {
  for (int round = 1; !accounts.empty(); ++round) {
    const auto differing = find_differing_once(state, link, epoch, root, accounts);
    if (!differing) return Failure(differing.error());
    std::erase_if(accounts, [&](const auto& account) { return !differing->contains(account.first); });
    if (round == k_rounds || accounts.empty()) break;
    std::this_thread::sleep_for(k_between_rounds);
  }
  std::vector<AccountId> ids;
  for (const auto& [id, path] : accounts)
    ids.push_back(id);
  return ids;
}

/// What users do at a drained root's destination is theirs, and what is not copied yet or held is compared anyway.
bool Engine::is_looked_after(const Account& account) const {
  const Root& root = roots_[account.root];
  return root.mode == config::Mode::mirror && !root.removed && !root.is_held() && account.complete && !account.held &&
         !account.work.compare;
}

/// Has the receiver say which of these accounts look otherwise than they were left; those are compared. `done` is
/// called on the loop: with nothing when they could not be asked about.
void Engine::check_looks(const std::vector<AccountId>& ids,
                         std::function<void(std::optional<std::vector<AccountId>> differing)> done) {
  std::map<std::string, std::vector<std::pair<AccountId, std::string>>> by_root;
  for (const AccountId id : ids) {
    const Account& account = accounts_.at(id);
    if (is_looked_after(account)) by_root[roots_[account.root].config.name].emplace_back(id, account.path);
  }
  if (by_root.empty() || !receiver_knows_looks_) return done(std::vector<AccountId>());
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [](const auto& one) { return one->link().is_up(); });
  if (lane == lanes_.end()) return done(std::nullopt);
  auto link = (*lane)->link().shared_from_this();
  asio::post(askers_, [this, link, epoch = link->outbox().epoch(), by_root = std::move(by_root), done]() mutable {
    std::optional<std::vector<AccountId>> differing(std::in_place);
    std::optional<std::pair<std::string, Error>> failed;
    for (auto& [root, accounts] : by_root) {
      auto found = find_differing(*state_, *link, epoch, root, std::move(accounts));
      if (found) {
        differing->insert(differing->end(), found->begin(), found->end());
      } else {
        failed.emplace(root, found.error());
      }
    }
    asio::post(loop_, [this, differing = std::move(differing), failed = std::move(failed), done]() mutable {
      if (stopping_) return;
      for (const AccountId id : *differing)
        compare_at_destination(id);
      dispatch();
      if (failed && failed->second.code == ErrorCode::destination_gone) {
        const auto root = std::find_if(roots_.begin(), roots_.end(), [&](const Root& one) {
          return !one.removed && one.config.name == failed->first;
        });
        if (root != roots_.end()) hold_destination(*root, failed->second.detail);
      } else if (failed) {
        spdlog::debug("looks-not-checked root={} detail=\"{}\"", failed->first, failed->second.message());
        differing.reset();
      }
      done(std::move(differing));
    });
  });
}

/// It does not look there as the agent left it.
void Engine::compare_at_destination(AccountId id) {
  const auto found = accounts_.find(id);
  if (found == accounts_.end() || roots_[found->second.root].mode != config::Mode::mirror) return;
  Account& account = found->second;
  spdlog::info("destination-differs root={} account={} action=\"it is compared\"", roots_[account.root].config.name,
               account.name);
  must_be_compared_first(account);
  account.wanted_generation = generation_;
  schedule(account);
}

void Engine::check_all_looks() {
  std::vector<AccountId> ids;
  for (const auto& [id, account] : accounts_)
    ids.push_back(id);
  check_looks(ids, [](const auto&) {});
}

/// A part of the accounts, so that each has its turn within ten minutes.
void Engine::check_some_looks() {
  constexpr auto k_every = std::chrono::seconds(10);
  constexpr AccountId k_parts = 60;
  const Time now = Clock::now();
  if (now - last_looks_ < k_every) return;
  last_looks_ = now;
  const AccountId part = looks_part_++ % k_parts;
  std::vector<AccountId> ids;
  for (const auto& [id, account] : accounts_) {
    if (id % k_parts == part && !account.turn && account.work.empty()) ids.push_back(id);
  }
  if (!ids.empty()) check_looks(ids, [](const auto&) {});
}

}  // namespace maildirsync::agent
