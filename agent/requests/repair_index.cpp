// `repair-index`: a Dovecot at the destination looked at accounts before their cutover. Its indexes go, and control
// files are sent again.

#include <utility>

#include <fmt/format.h>

#include "agent/requests/commands.h"
#include "agent/requests/requests.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

class RepairIndex : public Request {
 public:
  RepairIndex(Requests& requests, const json& request, Reply reply)
      : Request(std::move(reply)), requests_(requests), glob_(request.value("account", "")) {}

  /// Once it is in the list.
  void begin();
  void advance() override {}  // each account says when it is done
  void cancel() override { end(); }

 private:
  void repair(Account& account);
  void done(const std::string& account, const std::string& why_not);
  void finish();

  Requests& requests_;
  const std::string glob_;
  std::size_t waiting_ = 0, accounts_ = 0;
  json left_out_ = json::array();
};

void RepairIndex::begin() {
  Roster& roster = requests_.parts().roster;
  std::vector<AccountId> chosen;
  for (const auto& [id, account] : roster.accounts) {
    const Root& root = roster.root_of(account);
    if (root.removed || !maildir::is_chosen(glob_, account.name)) continue;
    if (root.mode == config::Mode::drain) {
      left_out_.push_back({{"account", account.name},
                           {"detail", "its root is drained: the destination serves it, and its indexes are right"}});
      continue;
    }
    chosen.push_back(id);
  }
  if (chosen.empty() && left_out_.empty()) {
    const std::string why = glob_.empty() ? "there is no account" : "no account matches '" + glob_ + "'";
    return end(control::error("usage", why));
  }
  accounts_ = waiting_ = chosen.size();
  if (chosen.empty()) return finish();
  for (const AccountId id : chosen)
    repair(roster.accounts.at(id));
}

void RepairIndex::repair(Account& account) {
  service::log_info("repair-index account={}", account.name);
  // What a mail server did there too early is what a person wants put right: it is not a reason to wait for one.
  if (account.held && account.hold_code == ErrorCode::users_at_destination) {
    requests_.parts().agreements.releases().note(account);
    requests_.parts().releases.let_go(account);
  }
  Work work;
  work.structure = work.compare = work.reindex = true;
  requests_.settlements().settle(account.id, work,
                                 [self = std::static_pointer_cast<RepairIndex>(shared_from_this()),
                                  name = account.name](const std::string& why) { self->done(name, why); });
}

void RepairIndex::done(const std::string& account, const std::string& why_not) {
  if (!why_not.empty()) {
    --accounts_;
    left_out_.push_back({{"account", account}, {"detail", why_not}});
  }
  if (--waiting_ == 0) finish();
}

void RepairIndex::finish() {
  std::string message = fmt::format("{} account{}: indexes removed at the destination, control files sent again",
                                    accounts_, accounts_ == 1 ? "" : "s");
  if (left_out_.empty()) {
    return end({{"ok", true}, {"accounts", accounts_}, {"left_out", json::array()}, {"message", message}});
  }
  message = fmt::format("{} of {} accounts could not be repaired:", left_out_.size(), accounts_ + left_out_.size());
  for (const auto& left_out : left_out_)
    message += fmt::format(" {}: {};", left_out.value("account", ""), left_out.value("detail", ""));
  message.pop_back();
  end({{"error", {{"code", "incomplete"}, {"message", message}}}, {"left_out", left_out_}});
}

}  // namespace

void repair_index(Requests& requests, const json& request, Reply reply) {
  const auto repair = std::make_shared<RepairIndex>(requests, request, std::move(reply));
  requests.begin(repair);
  repair->begin();
}

}  // namespace maildirsync::agent
