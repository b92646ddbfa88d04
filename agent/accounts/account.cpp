#include "agent/accounts/account.h"

#include <fmt/format.h>

#include "agent/turn/sender.h"
#include "common/service/event.h"

namespace maildirsync::agent {

std::optional<Problem> Root::hold() const {
  if (!overlap.hold.empty()) return Problem{ErrorCode::destination_overlaps, config.path, overlap.hold};
  if (agreement.hold) return Problem{agreement.hold->code, config.path, agreement.hold->detail};
  if (held) return Problem{ErrorCode::root_gone, config.path, hold_reason};
  if (!destination_hold.empty()) return Problem{ErrorCode::destination_gone, config.path, destination_hold};
  return std::nullopt;
}

void log_problem(std::string_view code, const std::string& root, const std::string& account, const std::string& path,
                 const std::string& detail) {
  service::log_event({service::Severity::warning,
                      "problem",
                      {{"code", std::string(code)},
                       {"root", root},
                       {"account", account},
                       {"folder", account.empty() ? "" : location_of(path).folder},
                       {"path", path},
                       {"detail", detail}}});
}

std::string key_of_drained_since(AccountId id) {
  return "drained-since:" + std::to_string(id);
}

std::string indexed_detail(const Account& account) {
  return fmt::format(
      "a Dovecot at the destination has written indexes of {} folder{} of this account while it is mirrored; what it "
      "remembers of them may be wrong, and clients would see messages expunged or with new UIDs. Keep Dovecot there "
      "from serving the account until its cutover, then: maildirsync repair-index --account '{}'",
      account.indexed.size(), account.indexed.size() == 1 ? "" : "s", account.name);
}

void note_indexed(Account& account, const Root& root, const std::vector<std::string>& folders) {
  const bool known = !account.indexed.empty();
  account.indexed.insert(folders.begin(), folders.end());
  if (!account.indexed.empty() && !account.indexed_since) account.indexed_since = Clock::now();
  if (known || account.indexed.empty() || root.mode != config::Mode::mirror) return;
  log_problem("stale-index", root.config.name, account.name, *account.indexed.begin(), indexed_detail(account));
}

}  // namespace maildirsync::agent
