// Accounts that are held, and why: their directory is gone; or a turn found that much would be deleted, in a manner in
// which no user deletes. The rules are in common/sync/brake.h; here is what is kept of an account until they can
// decide, and of the other accounts of its root.
//
// A mass of removals is not believed before it has ended. Until then its turns send what was added, and look again. So
// the first removals of an `rm -rf` over an account do not go before its directory does, and the first accounts of a
// domain do not go before the others do.

#include "agent/accounts/holds.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_mass_is_quiet = 2s;          ///< a mass has ended when nothing more of it went for so long
constexpr auto k_longest_mass = 60s;          ///< then it is believed while it goes on, …
constexpr auto k_longest_emptying = 10s;      ///< … and sooner, where it only leaves a folder empty
constexpr auto k_longest_first_look = 30min;  ///< at all accounts, after the start
constexpr auto k_alarm = 10min;               ///< after many accounts lost much
constexpr auto k_losses_apart = 200ms;
constexpr auto k_waning_is_counted = 5s;  ///< apart

std::int64_t wall_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string way_out(const Account& account) {
  return "maildirsync release --account '" + account.name + "'";
}

}  // namespace

std::string key_of_gone(const std::string& root, const std::string& account_path) {
  return "gone-at:" + root + "/" + account_path;
}

// ---- holds ----

void Holds::hold_gone(Account& account) {
  const Root& root = roster_.root_of(account);
  account.awaits_discovery = false;
  account.gone_at = wall_seconds();
  std::string until = "until a person has looked";
  if (root.config.removed_accounts) {
    if (account.gone_noted != 0) {
      account.gone_at = account.gone_noted;
    } else {
      account.gone_noted = account.gone_at;
      keeper_.set_value(key_of_gone(root.config.name, account.path), std::to_string(account.gone_at));
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

void Holds::hold(Account& account, ErrorCode code, const std::string& reason) {
  const bool is_news = !account.held || account.hold_code != code;
  if (!account.held) account.held_since = Clock::now();
  account.held = true;
  account.rechecks = false;
  account.hold_code = code;
  account.hold_reason = reason;
  if (!is_news) return;
  service::log_event({service::Severity::warning,
                      "account-held",
                      {{"root", roster_.root_of(account).config.name},
                       {"account", account.name},
                       {"code", std::string(to_string(code))},
                       {"removed", std::to_string(account.hold_loss.messages)},
                       {"messages", std::to_string(account.messages)},
                       {"reason", reason}}});
}

void Holds::hold(Account& account, const TurnReport& report) {
  account.hold = report.held->brake;
  account.hold_loss = report.lost;
  account.hold_undoes = report.undoes;
  hold(account, report.held->code, report.held->reason);
}

void Holds::end(Account& account, const char* event) {
  const Root& root = roster_.root_of(account);
  if (account.is_gone() && root.config.removed_accounts) {
    account.gone_noted = 0;
    keeper_.set_value(key_of_gone(root.config.name, account.path), "");
  }
  account.held = account.rechecks = false;
  account.hold = sync::Hold::none;
  account.hold_loss = {};
  account.hold_undoes = {};
  account.hold_reason.clear();
  account.mass.reset();
  account.not_before = {};
  service::log_event({service::Severity::info, event, {{"root", root.config.name}, {"account", account.name}}});
}

// ---- masses ----

void Holds::note_mass(Account& account, const TurnReport& report) {
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

/// Not all accounts of its root were looked at since the start: what went while nobody watched went at once.
bool Holds::is_first_look(const Account& account) const {
  if (Clock::now() - roster_.started >= k_longest_first_look) return false;
  return std::any_of(roster_.accounts.begin(), roster_.accounts.end(), [&](const auto& entry) {
    const Account& other = entry.second;
    return other.root == account.root && other.complete && !other.looked_at && !other.held && !other.awaits_discovery;
  });
}

std::optional<std::uint64_t> Holds::mass_that_may_be_believed(const Account& account) {
  if (!account.mass) return std::nullopt;
  const Time now = Clock::now();
  if (is_first_look(account)) return std::nullopt;
  const Clock::duration longest = account.mass->is_large ? k_longest_mass : k_longest_emptying;
  if (now - account.mass->first > longest) return std::numeric_limits<std::uint64_t>::max();
  if (now - account.mass->changed < k_mass_is_quiet) return std::nullopt;
  check_losses(account.root);
  return account.mass->going;
}

std::uint64_t Holds::missing_that_may_be_believed(const Account& account) {
  if (!account.missing_there) return 0;
  const Time now = Clock::now();
  if (now - account.missing_there->first > k_longest_mass) return std::numeric_limits<std::uint64_t>::max();
  return now - account.missing_there->changed < k_mass_is_quiet ? 0 : account.missing_there->messages;
}

void Holds::note_missing_there(Account& account, std::uint64_t messages) {
  const Time now = Clock::now();
  if (!account.missing_there) account.missing_there = MissingThere{.first = now};
  if (account.missing_there->messages != messages) {
    account.missing_there->messages = messages;
    account.missing_there->changed = now;
  }
  account.not_before = now + k_mass_is_quiet;
}

bool Holds::loses_much(std::size_t root) const {
  return Clock::now() < roster_.roots[root].loses_until;
}

bool Holds::wanes(std::size_t index) {
  Root& root = roster_.roots[index];
  const Time now = Clock::now();
  if (now - root.wanes_as_of < k_waning_is_counted) return root.wanes;
  const std::uint64_t lost = root.losses.in_hour(now);
  root.wanes = false;
  if (!sync::wanes(0, lost)) return false;  // little, of however many: not worth counting them
  std::uint64_t messages = lost;
  for (const Account* account : roster_.accounts_of(index))
    messages += account->messages;
  root.wanes = sync::wanes(messages, lost);
  root.wanes_as_of = now;
  return root.wanes;
}

void Holds::check_losses(std::size_t index) {
  Root& root = roster_.roots[index];
  const Time now = Clock::now();
  if (now - root.losses_looked_at < k_losses_apart) return;
  root.losses_looked_at = now;
  const auto window = std::chrono::seconds(sync::k_brake_window_seconds);
  sync::RootLosses losses;
  for (Account* account : roster_.accounts_of(index)) {
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
    service::log_warning(
        "root-loses root={} accounts={} emptied={} messages={} lost={} action=\"what else loses much is held\"",
        root.config.name, losses.accounts, losses.emptied, losses.messages, losses.lost);
  }
  root.loses_until = now + k_alarm;
}

}  // namespace maildirsync::agent
