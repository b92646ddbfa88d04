#include "agent/engine/releases.h"

#include <algorithm>
#include <cstdlib>

#include "common/os/clock.h"
#include "common/service/log.h"
#include "common/sync/brake.h"

namespace maildirsync::agent {

namespace {

constexpr std::int64_t k_together = 600;  ///< seconds

std::int64_t wall_seconds() {
  return os::wall_clock() / 1'000'000'000;
}

}  // namespace

void Releases::let_go(Account& account) {
  const bool was_gone = account.is_gone();
  if (account.held && account.hold_code == ErrorCode::mount_gone) walks_.walk(account.root);  // which may not find it
  holds_.end(account, "account-released");
  account.released = true;
  account.work.structure = true;
  account.work.settled = true;
  if (was_gone) {
    account.gone_confirmed = true;
    account.awaits_discovery = false;
  }
  schedule_.add(account);
}

void Releases::let_go(Root& root) {
  if (!root.destination_hold.empty()) destinations_.release(root);
  if (!root.held) return;
  root.released = true;
  root.loses_until = {};
  service::log_info("root-released root={}", root.config.name);
  const std::size_t index = roster_.index_of(root);
  for (Account* account : roster_.accounts_of(index)) {
    account->released = account->work.structure = true;
    schedule_.add(*account);
  }
  walks_.walk(index);
}

void Releases::let_removed_accounts_go() {
  const std::int64_t now = wall_seconds();
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    const Root& root = roster_.roots[i];
    if (!root.config.removed_accounts || root.removed || root.held) continue;
    std::vector<Account*> gone;
    std::size_t known = 0;
    for (Account* account : roster_.accounts_of(i)) {
      ++known;
      if (account->is_gone()) gone.push_back(account);
    }
    std::vector<Account*> due;
    for (Account* account : gone) {
      if (now - account->gone_at < root.config.removed_accounts->count()) continue;
      const auto together = std::count_if(gone.begin(), gone.end(), [&](const Account* other) {
        return std::abs(other->gone_at - account->gone_at) <= k_together;
      });
      if (!sync::vanished_together(static_cast<std::size_t>(together), known)) due.push_back(account);
    }
    for (Account* account : due) {
      service::log_info("account-due root={} account={} detail=\"gone for as long as removed_accounts says\"",
                        root.config.name, account->name);
      agreements_.releases().note(*account);
      let_go(*account);
    }
  }
}

}  // namespace maildirsync::agent
