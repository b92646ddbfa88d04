// A Dovecot at the destination that looked at an account before its cutover: noticed, told of, and put right.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"

namespace maildirsync::agent {

using nlohmann::json;

std::string indexed_detail(const Account& account) {
  return fmt::format(
      "a Dovecot at the destination has written indexes of {} folder{} of this account while it is mirrored; what it "
      "remembers of them may be wrong, and clients would see messages expunged or with new UIDs. Keep Dovecot there "
      "from serving the account until its cutover, then: maildirsync repair-index --account '{}'",
      account.indexed.size(), account.indexed.size() == 1 ? "" : "s", account.name);
}

void Engine::note_indexed(Account& account, const std::vector<std::string>& folders) {
  const bool known = !account.indexed.empty();
  account.indexed.insert(folders.begin(), folders.end());
  if (!account.indexed.empty() && !account.indexed_since) account.indexed_since = Clock::now();
  if (known || account.indexed.empty() || roots_[account.root].mode != config::Mode::mirror) return;
  log_problem("stale-index", roots_[account.root].config.name, account.name, *account.indexed.begin(),
              indexed_detail(account));
}

void Engine::repair_index(const std::string& glob, std::shared_ptr<control::Reply> reply) {
  struct Repair {
    std::shared_ptr<control::Reply> reply;
    std::size_t waiting = 0, accounts = 0;
    json left_out = json::array();
  };
  const auto repair = std::make_shared<Repair>();
  repair->reply = std::move(reply);
  std::vector<std::pair<AccountId, std::string>> chosen;
  for (const auto& [id, account] : accounts_) {
    const Root& root = roots_[account.root];
    if (root.removed || !maildir::is_chosen(glob, account.name)) continue;
    if (root.mode == config::Mode::drain) {
      repair->left_out.push_back(
          {{"account", account.name},
           {"detail", "its root is drained: the destination serves it, and its indexes are right"}});
      continue;
    }
    chosen.emplace_back(id, account.name);
  }
  if (chosen.empty() && repair->left_out.empty()) {
    const std::string why = glob.empty() ? "there is no account" : "no account matches '" + glob + "'";
    return repair->reply->finish(control::error("usage", why));
  }
  repair->accounts = chosen.size();
  repair->waiting = chosen.size() + 1;
  const auto one_done = [repair] {
    if (--repair->waiting > 0) return;
    const std::size_t done = repair->accounts;
    std::string message = fmt::format("{} account{}: indexes removed at the destination, control files sent again",
                                      done, done == 1 ? "" : "s");
    if (repair->left_out.empty()) {
      return repair->reply->finish(
          {{"ok", true}, {"accounts", done}, {"left_out", json::array()}, {"message", message}});
    }
    message = fmt::format("{} of {} accounts could not be repaired:", repair->left_out.size(),
                          done + repair->left_out.size());
    for (const auto& left_out : repair->left_out)
      message += fmt::format(" {}: {};", left_out.value("account", ""), left_out.value("detail", ""));
    message.pop_back();
    repair->reply->finish({{"error", {{"code", "incomplete"}, {"message", message}}}, {"left_out", repair->left_out}});
  };
  for (const auto& [id, name] : chosen) {
    spdlog::info("repair-index account={}", name);
    // What a mail server did there too early is what a person wants put right: it is no reason to wait for one.
    Account& account = accounts_.at(id);
    if (account.held && account.hold_code == ErrorCode::users_at_destination) {
      note_release(account);
      let_go(account);
    }
    Work work;
    work.structure = work.compare = work.reindex = true;
    settle_account(id, std::move(work), [repair, one_done, name = name](const std::string& why) {
      if (!why.empty()) {
        --repair->accounts;
        repair->left_out.push_back({{"account", name}, {"detail", why}});
      }
      one_done();
    });
  }
  one_done();
}

}  // namespace maildirsync::agent
