// Accounts that are held, and why: their directory is gone; or a turn found that much would be deleted, in a manner in
// which no user deletes. The rules are in common/sync/brake.h; here is what is kept of an account until they can
// decide, and of the other accounts of its root.
//
// A mass of removals is not believed before it has ended. Until then its turns send what was added, and look again. So
// the first removals of an `rm -rf` over an account do not go before its directory does, and the first accounts of a
// domain do not go before the others do.

#include <algorithm>
#include <limits>

#include <asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "common/service/event.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_away_for_a_moment = 1s;
constexpr auto k_mass_is_quiet = 2s;          ///< a mass has ended when nothing more of it went for so long
constexpr auto k_longest_mass = 60s;          ///< then it is believed while it goes on, …
constexpr auto k_longest_emptying = 10s;      ///< … and sooner, where it only leaves a folder empty
constexpr auto k_longest_first_look = 30min;  ///< at all accounts, after the start
constexpr auto k_alarm = 10min;               ///< after many accounts lost much
constexpr auto k_losses_apart = 200ms;
constexpr auto k_waning_is_counted = 5s;  ///< apart
constexpr std::int64_t k_together = 600;  ///< seconds

std::int64_t wall_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string key_of_gone(const Root& root, const Account& account) {
  return "gone-at:" + root.config.name + "/" + account.path;
}

std::string way_out(const Account& account) {
  return "maildirsync release --account '" + account.name + "'";
}

}  // namespace

// ---- accounts that are gone ----

/// It may be away for a moment only. A drained root takes nothing away, and where nothing is there nothing goes; there
/// the account's own turn makes sure.
void Engine::is_not_found(Account& account, bool whole_walk) {
  if (!whole_walk) return;
  Root& root = roots_[account.root];
  if (account.is_gone() && root.mode == config::Mode::mirror) return;
  if (account.is_gone()) end_hold(account, "account-resumed");
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
    delay(account, k_away_for_a_moment);
  } else {
    hold_gone(account);
  }
}

void Engine::is_found(Account& account) {
  account.missing_since.reset();
  if (!account.is_gone()) return;
  account.work.structure = true;
  end_hold(account, "account-returned");
}

void Engine::hold_gone(Account& account) {
  const Root& root = roots_[account.root];
  account.awaits_discovery = false;
  account.gone_at = wall_seconds();
  std::string until = "until a person has looked";
  if (root.config.removed_accounts) {
    const std::string key = key_of_gone(root, account);
    const auto known = state_->value(key);
    if (known && *known && !(*known)->empty()) {
      account.gone_at = std::strtoll((*known)->c_str(), nullptr, 10);
    } else {
      asio::post(keeper_, [this, key, at = account.gone_at] {
        if (const auto stored = state_->set_value(key, std::to_string(at)); !stored) keeper_failed(stored.error());
      });
    }
    until += ", or for removed_accounts of the root in agent.toml";
  }
  account.hold = sync::Hold::damage;
  account.hold_loss = {account.messages, account.bytes};
  hold(account, ErrorCode::account_gone,
       fmt::format("the account's directory is gone at the source; its {} messages stay at the destination {}. Is its "
                   "file system mounted? If it is meant to be gone: {}",
                   account.messages, until, way_out(account)));
}

/// Those that may go by themselves after some time, unless so many vanished with them that it was no user who left.
void Engine::let_removed_accounts_go() {
  const std::int64_t now = wall_seconds();
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    const Root& root = roots_[i];
    if (!root.config.removed_accounts || root.removed || root.held) continue;
    std::vector<Account*> gone;
    std::size_t known = 0;
    for (Account* account : accounts_of(i)) {
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
      spdlog::info("account-due root={} account={} detail=\"gone for as long as removed_accounts says\"",
                   root.config.name, account->name);
      note_release(*account);
      let_go(*account);
    }
  }
}

// ---- holds ----

void Engine::hold(Account& account, ErrorCode code, const std::string& reason) {
  const bool is_news = !account.held || account.hold_code != code;
  if (!account.held) account.held_since = Clock::now();
  account.held = true;
  account.rechecks = false;
  account.hold_code = code;
  account.hold_reason = reason;
  if (!is_news) return;
  service::log_event({service::Severity::warning,
                      "account-held",
                      {{"root", roots_[account.root].config.name},
                       {"account", account.name},
                       {"code", std::string(to_string(code))},
                       {"removed", std::to_string(account.hold_loss.messages)},
                       {"messages", std::to_string(account.messages)},
                       {"reason", reason}}});
}

void Engine::hold_for_brake(Account& account, const Turn& turn) {
  const TurnReport& report = turn.report;
  std::string why;
  switch (report.hold) {
    case sync::Hold::damage:
      why = "for " + std::string(sync::sentence(report.damage));
      break;
    case sync::Hold::root_loses:
      why = "and many other accounts of the root lose much at the same time";
      break;
    default:
      why = "and the destination has no trash to put them aside (trash_days of the root in receiver.toml)";
      break;
  }
  account.hold = report.hold;
  account.hold_loss = report.lost;
  hold(account, ErrorCode::mass_deletion,
       fmt::format("{} of {} messages would be deleted at once, {}; the account is held, and nothing of it is deleted "
                   "at the destination. If that is meant: {}",
                   report.lost.messages, report.account_messages, why, way_out(account)));
}

void Engine::end_hold(Account& account, const char* event) {
  const Root& root = roots_[account.root];
  if (account.is_gone() && root.config.removed_accounts) {
    asio::post(keeper_, [this, key = key_of_gone(root, account)] {
      if (const auto stored = state_->set_value(key, ""); !stored) keeper_failed(stored.error());
    });
  }
  account.held = account.rechecks = false;
  account.hold = sync::Hold::none;
  account.hold_loss = {};
  account.hold_reason.clear();
  account.mass.reset();
  account.not_before = {};
  service::log_event({service::Severity::info, event, {{"root", root.config.name}, {"account", account.name}}});
}

// ---- masses ----

void Engine::note_mass(Account& account, const TurnReport& report) {
  const Time now = Clock::now();
  if (!account.mass) account.mass = Mass{.first = now};
  Mass& mass = *account.mass;
  mass.messages = report.account_messages;
  mass.is_large |= report.is_mass;
  mass.lost = report.lost.messages;
  if (mass.going != report.going) {
    mass.going = report.going;
    mass.changed = now;
  }
  account.work.settled = true;
  account.not_before = now + k_mass_is_quiet;
  check_losses(account.root);
}

/// Only when all accounts of the root were looked at: what went while nobody watched went at once.
std::optional<std::uint64_t> Engine::mass_that_may_be_believed(const Account& account) {
  if (!account.mass) return std::nullopt;
  const Time now = Clock::now();
  const bool first_look =
      now - started_ < k_longest_first_look && std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& entry) {
        const Account& other = entry.second;
        return other.root == account.root && other.complete && !other.looked_at && !other.held &&
               !other.awaits_discovery;
      });
  if (first_look) return std::nullopt;
  const Clock::duration longest = account.mass->is_large ? k_longest_mass : k_longest_emptying;
  if (now - account.mass->first > longest) return std::numeric_limits<std::uint64_t>::max();
  if (now - account.mass->changed < k_mass_is_quiet) return std::nullopt;
  check_losses(account.root);
  return account.mass->going;
}

std::uint64_t Engine::missing_that_may_be_believed(const Account& account) {
  if (!account.missing_there) return 0;
  const Time now = Clock::now();
  if (now - account.missing_there->first > k_longest_mass) return std::numeric_limits<std::uint64_t>::max();
  return now - account.missing_there->changed < k_mass_is_quiet ? 0 : account.missing_there->messages;
}

void Engine::note_missing_there(Account& account, std::uint64_t messages) {
  const Time now = Clock::now();
  if (!account.missing_there) account.missing_there = MissingThere{.first = now};
  if (account.missing_there->messages != messages) {
    account.missing_there->messages = messages;
    account.missing_there->changed = now;
  }
  account.not_before = now + k_mass_is_quiet;
}

bool Engine::loses_much(std::size_t root) {
  return Clock::now() < roots_[root].loses_until;
}

bool Engine::wanes(std::size_t index) {
  Root& root = roots_[index];
  const Time now = Clock::now();
  if (now - root.wanes_as_of < k_waning_is_counted) return root.wanes;
  const std::uint64_t lost = root.losses.in_hour(now);
  root.wanes = false;
  if (!sync::wanes(0, lost)) return false;  // little, of however many: not worth counting them
  std::uint64_t messages = lost;
  for (const Account* account : accounts_of(index))
    messages += account->messages;
  root.wanes = sync::wanes(messages, lost);
  root.wanes_as_of = now;
  return root.wanes;
}

void Engine::check_losses(std::size_t index) {
  Root& root = roots_[index];
  const Time now = Clock::now();
  if (now - root.losses_looked_at < k_losses_apart) return;
  root.losses_looked_at = now;
  const auto window = std::chrono::seconds(sync::k_brake_window_seconds);
  sync::RootLosses losses;
  for (Account* account : accounts_of(index)) {
    const std::uint64_t gone = account->losses.in_window(now);
    const bool is_recent = account->mass && now - account->mass->changed <= window;
    const std::uint64_t lost = gone + (is_recent ? account->mass->lost : 0);
    const std::uint64_t had = account->messages + gone;
    losses.accounts += had > 0 ? 1 : 0;
    losses.emptied += sync::is_most(had, lost) ? 1 : 0;
    losses.losers += lost > 0 ? 1 : 0;
    losses.messages += had;
    losses.lost += lost;
  }
  if (!sync::is_catastrophe(losses)) return;
  if (now >= root.loses_until) {
    spdlog::warn(
        "root-loses root={} accounts={} emptied={} messages={} lost={} action=\"what else loses much is held\"",
        root.config.name, losses.accounts, losses.emptied, losses.messages, losses.lost);
  }
  root.loses_until = now + k_alarm;
}

bool Engine::has_trash(const Account& account) const {
  return trashes_.contains(roots_[account.root].config.name);
}

}  // namespace maildirsync::agent
