#include "agent/accounts/stalls.h"

#include <algorithm>
#include <map>

#include "agent/accounts/problems.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_hangs = 10s;
/// One account may lie on a mount of its own; so many that hang at the same moment lie on one that they share.
constexpr std::size_t k_most_hanging_of_root = 4;

}  // namespace

void Stalls::check(Time now) {
  note_turns(now);
  for (auto& root : roster_.roots)
    note_walk(root, now);
}

void Stalls::note_turns(Time now) {
  std::map<std::size_t, std::size_t> by_root;
  std::vector<AccountId> hanging;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (!lanes_[i].look_whether_it_hangs(now, k_hangs)) continue;
    Account* account = roster_.find(lanes_[i].turn()->order.account);
    if (account == nullptr) continue;
    hanging.push_back(account->id);
    ++by_root[account->root];
    if (account->hangs_since) continue;
    const Root& root = roster_.root_of(*account);
    account->hangs_since = now - k_hangs;
    log_problem(to_string(ErrorCode::timed_out), root.config.name, account->name, account->path,
                hang_detail(root, *account));
  }
  for (const AccountId id : hanging_) {
    Account* account = roster_.find(id);
    if (account != nullptr && std::find(hanging.begin(), hanging.end(), id) == hanging.end())
      account->hangs_since.reset();
  }
  hanging_ = std::move(hanging);
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    Root& root = roster_.roots[i];
    const auto found = by_root.find(i);
    const bool is_silent = found != by_root.end() && found->second >= k_most_hanging_of_root;
    if (is_silent == root.silent_since.has_value()) continue;
    if (is_silent) {
      root.silent_since = now;
      log_problem(to_string(ErrorCode::timed_out), root.config.name, "", root.config.path, silence_detail(root));
    } else {
      root.silent_since.reset();
      for (Account* account : roster_.accounts_of(i))
        schedule_.add(*account);
    }
  }
}

void Stalls::note_walk(Root& root, Time now) {
  const bool hangs = root.discovering && root.walk && root.walk->still_for(now) >= k_hangs;
  if (hangs == root.walk_hangs_since.has_value()) return;
  if (!hangs) return root.walk_hangs_since.reset();
  root.walk_hangs_since = now - k_hangs;
  log_problem(to_string(ErrorCode::timed_out), root.config.name, "", root.config.path, walk_hang_detail(root));
}

std::string hang_detail(const Root& root, const Account& account) {
  return "the file system of " + os::join(root.config.path, account.path) +
         " does not answer: a call to it has not returned. Changes of the account wait; other accounts and roots go "
         "on. Mend the disk or the mount's server, and it goes on by itself";
}

std::string walk_hang_detail(const Root& root) {
  return "a directory at or below " + root.config.path +
         " does not answer, so new accounts of the root are not found; known accounts that can be read go on. Mend the "
         "disk or the mount's server, and it goes on by itself";
}

std::string silence_detail(const Root& root) {
  return "the file system of several accounts in " + root.config.path +
         " does not answer, so nothing of the root is read until one of them can be. Other roots go on. Mend the disk "
         "or the mount's server, and it goes on by itself";
}

}  // namespace maildirsync::agent
