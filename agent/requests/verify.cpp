// `verify`: who is compared, what is waited for, what is answered. The comparison itself is verify_run.h.

#include <algorithm>
#include <utility>

#include <asio/post.hpp>
#include <fmt/format.h>

#include "agent/accounts/problems.h"
#include "agent/requests/chosen_accounts.h"
#include "agent/requests/chosen_roots.h"
#include "agent/requests/commands.h"
#include "agent/requests/requests.h"
#include "agent/requests/stragglers.h"
#include "agent/verify/verify_run.h"
#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

using namespace std::chrono_literals;

constexpr auto k_progress = 250ms;
constexpr std::size_t k_most_differences = 100'000;

json difference_json(const std::string& root, const std::string& account, const Difference& difference) {
  return {{"kind", to_string(difference.kind)},     {"root", root},
          {"account", os::printable(account)},      {"folder", os::printable(difference.folder)},
          {"name", os::printable(difference.name)}, {"detail", os::printable(difference.detail)}};
}

json left_out_json(const std::string& root, const std::string& account, const LeftOut& doubt) {
  return {{"root", root},
          {"account", os::printable(account)},
          {"code", doubt.code == ErrorCode::unexpected ? "not-compared" : to_string(doubt.code)},
          {"path", os::printable(doubt.path)},
          {"detail", os::printable(doubt.detail)}};
}

json unknown_json(const Verification::Unknown& unknown) {
  return {{"kind", "extra"},
          {"root", unknown.root},
          {"account", os::printable(unknown.account)},
          {"folder", ""},
          {"name", ""},
          {"detail", "the account is at the destination only"},
          {"can_be_put_aside", false}};
}

void log_verified(const std::string& root, const std::string& account, bool deep, const Verdict& verdict) {
  const bool equal = verdict.differences.empty() && verdict.left_out.empty();
  service::log_event({service::Severity::info,
                      "account-verified",
                      {{"root", root},
                       {"account", account},
                       {"deep", deep ? "true" : "false"},
                       {"equal", equal ? "true" : "false"},
                       {"differences", std::to_string(verdict.differences.size())},
                       {"left_out", std::to_string(verdict.left_out.size())},
                       {"folders", std::to_string(verdict.folders)},
                       {"messages", std::to_string(verdict.messages)},
                       {"bytes", std::to_string(verdict.bytes)}}});
}

/// First every root is walked anew, then the accounts are compared.
class Verify : public Request {
 public:
  Verify(Requests& requests, const json& request, Reply reply);

  void advance() override;
  void cancel() override;
  bool has_thread() const override { return run_ != nullptr; }
  std::string_view exclusive() const override { return "verify"; }

 private:
  struct Named {
    std::string root, account;
    AccountId id = 0;
  };

  void begin();
  void add_root(std::size_t index, Verification::Order& order);
  void leave_out(const std::string& root, const std::string& detail);
  void leave_out_of(const Root& root);
  bool is_expected(const std::string& root, const std::string& path, const std::string& name) const;
  bool can_put_aside(AccountId id, const Difference& difference) const;
  void tell_progress(std::size_t done, std::size_t differences);
  void finish(const Verification::Outcome& outcome);
  json answer(const Verification::Outcome& outcome);
  void note_acls_of(const Verification::Outcome& outcome);
  bool is_of_all() const { return chosen_.is_all() && roots_.is_all(); }

  Requests& requests_;
  Parts& parts_;
  const ChosenAccounts chosen_;
  const ChosenRoots roots_;
  const bool deep_;
  const bool repair_;
  const bool aside_extra_;
  const Time start_ = Clock::now();
  std::vector<std::uint64_t> walks_;  ///< of each root, that must have ended
  std::shared_ptr<Verification> run_;
  std::vector<Named> accounts_;
  Stragglers stragglers_;
  json left_out_ = json::array();
  std::size_t not_compared_ = 0;  ///< of `left_out_`: mail that no account holds, roots that are skipped or empty
  Time last_progress_{};
};

Verify::Verify(Requests& requests, const json& request, Reply reply)
    : Request(std::move(reply)),
      requests_(requests),
      parts_(requests.parts()),
      chosen_(request),
      roots_(request, parts_.roster),
      deep_(request.value("deep", false)),
      repair_(request.value("repair", false)),
      aside_extra_(repair_ && request.value("aside_extra", false)),
      walks_(parts_.walks.walk_all(chosen_.is_by_name() ? Search::beside : Search::everywhere)) {
  service::log_info("verify-begin account=\"{}\" deep={} repair={}", chosen_.text(), deep_, repair_);
}

void Verify::advance() {
  if (!run_ && parts_.walks.have_walked(walks_)) begin();
}

/// Its end is told of by the comparison, if there is one.
void Verify::cancel() {
  if (!run_) return end();
  run_->abort();
}

void Verify::leave_out(const std::string& root, const std::string& detail) {
  left_out_.push_back({{"root", root}, {"detail", detail}});
}

/// What the walk could not look into, and mail of no account. A comparison of some accounts is about these alone. Two
/// empty trees are equal, but prove nothing: a volume may not be mounted yet.
void Verify::leave_out_of(const Root& root) {
  if (!chosen_.is_all()) return;
  for (const auto& problem : root.problems) {
    if (problem.code == ErrorCode::unwatched || problem.code == ErrorCode::special_file) continue;
    ++not_compared_;
    left_out_.push_back({{"code", to_string(problem.code)},
                         {"root", root.config.name},
                         {"path", os::printable(problem.path)},
                         {"detail", os::printable(problem.detail)}});
  }
  if (parts_.roster.may_be_empty(root) || parts_.roster.has_accounts(parts_.roster.index_of(root))) return;
  ++not_compared_;
  left_out_.push_back({{"code", "no-accounts"}, {"root", root.config.name}, {"detail", no_accounts(root)}});
}

void Verify::begin() {
  Verification::Order order;
  order.contents = deep_ ? Contents::all : Contents::control_files;
  order.repair = repair_;
  for (std::size_t i = 0; i < parts_.roster.roots.size(); ++i) {
    const Root& root = parts_.roster.roots[i];
    if (!root.removed && roots_.contains(root)) add_root(i, order);
  }
  const auto self = std::static_pointer_cast<Verify>(shared_from_this());
  const std::weak_ptr<Verify> weak = self;
  Verification::Hooks hooks{.settle =
                                [weak](AccountId id, const Work& work, std::function<void(std::string)> done) {
                                  const auto verify = weak.lock();
                                  verify ? verify->requests_.settlements().settle(id, work, std::move(done))
                                         : done("it was given up");
                                },
                            .is_expected =
                                [weak](const std::string& root, const std::string& path, const std::string& name) {
                                  const auto verify = weak.lock();
                                  return !verify || verify->is_expected(root, path, name);
                                },
                            .indexed =
                                [weak](AccountId id, const std::vector<std::string>& folders) {
                                  const auto verify = weak.lock();
                                  Account* account = verify ? verify->parts_.roster.find(id) : nullptr;
                                  if (account != nullptr)
                                    note_indexed(*account, verify->parts_.roster.root_of(*account), folders);
                                },
                            .progress =
                                [weak](std::size_t done, std::size_t differences) {
                                  if (const auto verify = weak.lock()) verify->tell_progress(done, differences);
                                },
                            .done =
                                [weak](const Verification::Outcome& outcome) {
                                  if (const auto verify = weak.lock()) verify->finish(outcome);
                                }};
  run_ = std::make_shared<Verification>(parts_.loop, parts_.state, std::move(order), std::move(hooks));
  run_->begin(parts_.lanes.shared_settings(), parts_.limiter,
              [totals = &parts_.totals](std::size_t bytes) { totals->bytes_wire += bytes; });
}

void Verify::add_root(std::size_t index, Verification::Order& order) {
  const Root& root = parts_.roster.roots[index];
  const std::string& name = root.config.name;
  if (!root.directory || root.is_held()) {
    ++not_compared_;
    return leave_out(name, root.is_held() ? root.held_because() : "the root cannot be opened");
  }
  const bool is_drained = root.mode == config::Mode::drain;
  const auto* said = is_drained ? decisions::newest(parts_.agreements.decided(root)) : nullptr;
  const std::int64_t since = said == nullptr ? 0 : drained_since(*said);
  leave_out_of(root);
  if (aside_extra_ && is_drained) {
    leave_out(name, "the root is drained: what is at its destination only is its users', and is not put aside");
  } else if (aside_extra_ && parts_.lanes.has_trash(name)) {
    order.aside_extra.insert(name);
  } else if (aside_extra_) {
    leave_out(
        name,
        "what is at the destination only is not put aside: the receiver keeps no trash of the root (trash_days in "
        "receiver.toml)");
  }
  if (!is_drained) order.roots.push_back({name, root.config.accounts, root.layout});  // users make accounts there
  auto accounts = parts_.roster.accounts_of(index);
  std::sort(accounts.begin(), accounts.end(), [](const Account* a, const Account* b) { return a->path < b->path; });
  std::int64_t last_moved = since;
  for (const Account* account : accounts) {
    if (!chosen_.contains(account->name)) continue;
    const std::int64_t moved = std::max(since, account->drained_since);  // it may have come later than its root
    last_moved = std::max(last_moved, moved);
    order.accounts.push_back({account->id, name, account->path, account->name, root.directory,
                              is_drained ? std::optional(moved) : std::nullopt});
    accounts_.push_back({name, account->name, account->id});
  }
  if (is_drained) stragglers_.add(name, last_moved);
}

void Verify::tell_progress(std::size_t done, std::size_t differences) {
  if (Clock::now() - last_progress_ < k_progress && done < accounts_.size()) return;
  last_progress_ = Clock::now();
  progress({{"accounts_done", done}, {"accounts", accounts_.size()}, {"differences", differences}});
}

/// Whether the mirror knows the account, or is told by its configuration or the command to leave it alone.
bool Verify::is_expected(const std::string& root_name, const std::string& path, const std::string& name) const {
  if (!chosen_.contains(name)) return true;
  const Root* root = parts_.roster.find_root(root_name);
  if (root == nullptr || !config::takes(root->config, name)) return true;
  const std::size_t index = parts_.roster.index_of(*root);
  return std::any_of(parts_.roster.accounts.begin(), parts_.roster.accounts.end(),
                     [&](const auto& known) { return known.second.root == index && known.second.path == path; });
}

void Verify::finish(const Verification::Outcome& outcome) {
  // The link's last handlers run before it goes.
  asio::post(parts_.loop, [run = std::exchange(run_, nullptr)] {});
  if (outcome.given_up) {
    service::log_info("verify-end given_up=true");
    return end(control::error("cancelled", "the verification was given up"));
  }
  if (outcome.compared == 0 && !outcome.unreachable.empty()) {
    return end(control::error("unreachable", "nothing was compared: " + outcome.unreachable));
  }
  if (accounts_.empty() && outcome.unknown.empty() && outcome.unlisted.empty() && !chosen_.is_all()) {
    return end(control::error("usage", "no account matches '" + chosen_.text() + "'"));
  }
  if (is_of_all()) note_acls_of(outcome);
  end(answer(outcome));
}

/// Whether `--repair --aside-extra` would: not in a drained root, of a held account, or what the mirror itself was
/// refused to take away.
bool Verify::can_put_aside(AccountId id, const Difference& difference) const {
  const Account* account = parts_.roster.find(id);
  if (account == nullptr || account->held) return false;
  const Root& root = parts_.roster.root_of(*account);
  const std::string path = sync::path_of({difference.folder, difference.area, difference.name});
  return root.mode == config::Mode::mirror && parts_.lanes.has_trash(root.config.name) &&
         !account->problems.contains(path);
}

json Verify::answer(const Verification::Outcome& outcome) {
  json differences = json::array();
  std::size_t all = outcome.unknown.size();
  std::uint64_t folders = 0, messages = 0, bytes = 0, repaired = 0, aside = 0;
  json left_out = std::move(left_out_);
  std::size_t incomplete = outcome.unlisted.size();
  for (std::size_t i = 0; i < outcome.accounts.size(); ++i) {
    const auto& [root, account, id] = accounts_[i];
    const Verdict& verdict = outcome.accounts[i].verdict;
    folders += verdict.folders;
    messages += verdict.messages;
    bytes += verdict.bytes;
    repaired += outcome.accounts[i].repaired;
    aside += outcome.accounts[i].aside;
    all += verdict.differences.size();
    stragglers_.add(root, account, verdict.stragglers);
    incomplete += verdict.left_out.size();
    log_verified(root, account, deep_, verdict);
    for (const auto& difference : verdict.differences) {
      if (differences.size() >= k_most_differences) continue;
      differences.push_back(difference_json(root, account, difference));
      if (difference.kind == DifferenceKind::extra)
        differences.back()["can_be_put_aside"] = can_put_aside(id, difference);
    }
    for (const auto& doubt : verdict.left_out) {
      left_out.push_back(left_out_json(root, account, doubt));
    }
  }
  for (const auto& unknown : outcome.unknown)
    differences.push_back(unknown_json(unknown));
  for (const auto& [root, why] : outcome.unlisted)
    left_out.push_back({{"root", root}, {"detail", why}});
  if (all > differences.size()) {
    left_out.push_back({{"detail", fmt::format("{} more differences are not named", all - differences.size())}});
  }
  const bool equal = all == 0 && incomplete == 0 && not_compared_ == 0 && !accounts_.empty();
  const double elapsed = os::seconds_since(start_);
  json answer = {{"equal", equal},
                 {"deep", deep_},
                 {"elapsed_seconds", elapsed},
                 {"accounts", outcome.accounts.size()},
                 {"folders", folders},
                 {"messages", messages},
                 {"bytes", bytes},
                 {"differences", std::move(differences)},
                 {"left_out", std::move(left_out)},
                 {"drained", stragglers_.to_json()}};
  if (repair_) answer["repaired"] = repaired;
  if (aside_extra_) answer["aside"] = aside;
  service::log_info("verify-end equal={} differences={} accounts={} seconds={:.1f}", equal, all,
                    outcome.accounts.size(), elapsed);
  if (chosen_.is_all()) requests_.note_stragglers(answer["drained"]);
  if (is_of_all()) {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    requests_.note_verified({{"at", os::stamp_of(now)},
                             {"unix", static_cast<std::int64_t>(now)},
                             {"deep", deep_},
                             {"equal", equal},
                             {"differences", all}});
  }
  return answer;
}

/// A comparison has asked every file: it knows the number.
void Verify::note_acls_of(const Verification::Outcome& outcome) {
  for (auto& root : parts_.roster.roots) {
    if (root.removed) continue;
    std::uint64_t acls = 0;
    bool compared = false;
    for (std::size_t i = 0; i < outcome.accounts.size(); ++i) {
      if (accounts_[i].root != root.config.name) continue;
      compared = true;
      acls += outcome.accounts[i].verdict.acls;
    }
    if (compared) note_acls(root, acls, parts_.keeper);
  }
}

}  // namespace

void verify(Requests& requests, const json& request, Reply reply) {
  if (requests.is_under_way("verify")) {
    return reply->finish(
        control::error("busy", "another verification runs already; wait for it, or end it with its command"));
  }
  const ChosenRoots roots(request, requests.parts().roster);
  if (!roots.error().empty()) return reply->finish(control::error("usage", roots.error()));
  requests.begin(std::make_shared<Verify>(requests, request, std::move(reply)));
}

}  // namespace maildirsync::agent
