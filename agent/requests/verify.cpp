// The engine's side of `verify`: who is compared, what is waited for, what is answered.

#include <algorithm>

#include <asio/post.hpp>
#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "agent/requests/verify_run.h"
#include "common/os/printable.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

using namespace std::chrono_literals;

constexpr auto k_settle_limit = 120s;
constexpr auto k_progress = 250ms;
constexpr std::size_t k_most_differences = 100'000;

json difference_json(const std::string& root, const std::string& account, const Difference& difference) {
  return {{"kind", to_string(difference.kind)},     {"root", root},
          {"account", os::printable(account)},      {"folder", os::printable(difference.folder)},
          {"name", os::printable(difference.name)}, {"detail", os::printable(difference.detail)}};
}

}  // namespace

/// A verification on its way: first every root is walked anew, then the accounts are compared.
struct Engine::Verify {
  std::string glob;
  bool deep = false;
  bool repair = false;
  bool aside_extra = false;
  Time start = Clock::now();
  std::shared_ptr<control::Reply> reply;
  std::vector<std::uint64_t> discoveries;  ///< of each root, that must have finished
  std::shared_ptr<Verification> run;
  struct Named {
    std::string root, account;
  };
  std::vector<Named> accounts;
  json left_out = json::array();
  std::size_t not_compared = 0;  ///< of `left_out`: mail that no account holds, roots that are skipped or empty
  Time last_progress{};
};

void Engine::verify(const json& request, std::shared_ptr<control::Reply> reply) {
  if (verify_) {
    return reply->finish(
        control::error("busy", "another verification runs already; wait for it, or end it with its command"));
  }
  auto verify = std::make_shared<Verify>();
  verify->glob = request.value("account", "");
  verify->deep = request.value("deep", false);
  verify->repair = request.value("repair", false);
  verify->aside_extra = verify->repair && request.value("aside_extra", false);
  verify->reply = std::move(reply);
  verify->discoveries = walk_roots(Search::everywhere);
  verify_ = std::move(verify);
  spdlog::info("verify-begin account=\"{}\" deep={} repair={}", verify_->glob, verify_->deep, verify_->repair);
}

void Engine::check_verify() {
  check_settling();
  if (!verify_) return;
  if (!verify_->reply->wanted()) return abort_verify();
  if (verify_->run) return;
  if (have_walked(verify_->discoveries)) begin_verify();
}

void Engine::abort_verify() {
  check_settling();
  if (verify_ && verify_->run) {
    verify_->run->abort();
  } else {
    verify_.reset();
  }
}

/// What the walk could not look into, and mail of no account. A comparison of some accounts is about these alone. What
/// is equal because there is nothing is no proof: a volume may not be mounted yet.
void Engine::leave_out_of(const Root& root, Verify& verify) {
  if (!verify.glob.empty()) return;
  for (const auto& problem : root.problems) {
    if (problem.code == ErrorCode::unwatched || problem.code == ErrorCode::special_file) continue;
    ++verify.not_compared;
    verify.left_out.push_back({{"code", to_string(problem.code)},
                               {"root", root.config.name},
                               {"path", os::printable(problem.path)},
                               {"detail", os::printable(problem.detail)}});
  }
  const auto index = static_cast<std::size_t>(&root - roots_.data());
  if (has_accounts(index)) return;
  ++verify.not_compared;
  verify.left_out.push_back({{"code", "no-accounts"}, {"root", root.config.name}, {"detail", no_accounts(root)}});
}

void Engine::begin_verify() {
  Verify& verify = *verify_;
  Verification::Order order;
  order.contents = verify.deep ? Contents::all : Contents::control_files;
  order.repair = verify.repair;
  for (std::size_t r = 0; r < roots_.size(); ++r) {
    const Root& root = roots_[r];
    if (root.removed) continue;
    if (!root.directory || root.is_held()) {
      ++verify.not_compared;
      verify.left_out.push_back(
          {{"root", root.config.name}, {"detail", root.is_held() ? root.held_because() : "the root cannot be opened"}});
      continue;
    }
    if (root.mode == config::Mode::drain) {
      verify.left_out.push_back({{"root", root.config.name},
                                 {"detail",
                                  "the root is drained: its destination goes its own way, and what differs "
                                  "there is not repaired"}});
    }
    leave_out_of(root, verify);
    if (verify.aside_extra && trashes_.contains(root.config.name)) {
      order.aside_extra.insert(root.config.name);
    } else if (verify.aside_extra) {
      verify.left_out.push_back({{"root", root.config.name},
                                 {"detail",
                                  "what is at the destination only is not put aside: the receiver keeps no trash of "
                                  "the root (trash_days in receiver.toml)"}});
    }
    order.roots.push_back({root.config.name, root.config.accounts, root.layout});
    auto accounts = accounts_of(r);
    std::sort(accounts.begin(), accounts.end(), [](const Account* a, const Account* b) { return a->path < b->path; });
    for (const Account* account : accounts) {
      if (!maildir::is_chosen(verify.glob, account->name)) continue;
      order.accounts.push_back({account->id, root.config.name, account->path, account->name, root.directory});
      verify.accounts.push_back({root.config.name, account->name});
    }
  }
  const std::size_t count = order.accounts.size();
  Verification::Hooks hooks{
      .settle = [this](AccountId id, Work work,
                       std::function<void(std::string)> done) { settle_account(id, std::move(work), std::move(done)); },
      .is_expected = [this](const std::string& root, const std::string& path,
                            const std::string& name) { return is_expected_account(root, path, name); },
      .indexed =
          [this](AccountId id, const std::vector<std::string>& folders) {
            if (const auto found = accounts_.find(id); found != accounts_.end()) note_indexed(found->second, folders);
          },
      .progress =
          [this, count](std::size_t done, std::size_t differences) {
            if (!verify_ || (Clock::now() - verify_->last_progress < k_progress && done < count)) return;
            verify_->last_progress = Clock::now();
            verify_->reply->progress(
                {{"progress", {{"accounts_done", done}, {"accounts", count}, {"differences", differences}}}});
          },
      .done = [this](Verification::Outcome outcome) { finish_verify(std::move(outcome)); }};
  verify.run = std::make_shared<Verification>(loop_, *state_, std::move(order), std::move(hooks));
  verify.run->begin(std::make_shared<const LinkSettings>(link_settings_), limiter_,
                    [this](std::size_t bytes) { totals_.bytes_wire += bytes; });
}

/// Whether the mirror knows the account, or is told by its configuration or the command to leave it alone.
bool Engine::is_expected_account(const std::string& root_name, const std::string& path, const std::string& name) const {
  if (verify_ && !maildir::is_chosen(verify_->glob, name)) return true;
  for (std::size_t r = 0; r < roots_.size(); ++r) {
    const Root& root = roots_[r];
    if (root.removed || root.config.name != root_name) continue;
    if (!maildir::is_included(root.config.include, root.config.exclude, name)) return true;
    return std::any_of(accounts_.begin(), accounts_.end(),
                       [&](const auto& known) { return known.second.root == r && known.second.path == path; });
  }
  return true;
}

void Engine::finish_verify(Verification::Outcome outcome) {
  const auto verify = std::exchange(verify_, nullptr);
  // The link's last handlers run before it goes.
  asio::post(loop_, [verify] {});
  if (outcome.given_up) {
    spdlog::info("verify-end given_up=true");
    return verify->reply->finish(control::error("cancelled", "the verification was given up"));
  }
  if (outcome.compared == 0 && !outcome.unreachable.empty()) {
    return verify->reply->finish(control::error("unreachable", "nothing was compared: " + outcome.unreachable));
  }
  if (verify->accounts.empty() && outcome.unknown.empty() && outcome.unlisted.empty() && !verify->glob.empty()) {
    return verify->reply->finish(control::error("usage", "no account matches '" + verify->glob + "'"));
  }
  json differences = json::array();
  std::size_t all = outcome.unknown.size();
  std::uint64_t folders = 0, messages = 0, bytes = 0, repaired = 0, aside = 0;
  json left_out = std::move(verify->left_out);
  std::size_t incomplete = outcome.unlisted.size();
  for (std::size_t i = 0; i < outcome.accounts.size(); ++i) {
    const auto& [root, account] = verify->accounts[i];
    const Verdict& verdict = outcome.accounts[i].verdict;
    folders += verdict.folders;
    messages += verdict.messages;
    bytes += verdict.bytes;
    repaired += outcome.accounts[i].repaired;
    aside += outcome.accounts[i].aside;
    all += verdict.differences.size();
    incomplete += verdict.left_out.size();
    note_verified(root, account, verify->deep, verdict);
    for (const auto& difference : verdict.differences) {
      if (differences.size() < k_most_differences) differences.push_back(difference_json(root, account, difference));
    }
    for (const auto& doubt : verdict.left_out) {
      left_out.push_back({{"root", root},
                          {"account", os::printable(account)},
                          {"code", doubt.code == ErrorCode::unexpected ? "not-compared" : to_string(doubt.code)},
                          {"path", os::printable(doubt.path)},
                          {"detail", os::printable(doubt.detail)}});
    }
  }
  for (const auto& unknown : outcome.unknown) {
    differences.push_back({{"kind", "extra"},
                           {"root", unknown.root},
                           {"account", os::printable(unknown.account)},
                           {"folder", ""},
                           {"name", ""},
                           {"detail", "the account is at the destination only"}});
  }
  for (const auto& [root, why] : outcome.unlisted)
    left_out.push_back({{"root", root}, {"detail", why}});
  if (all > differences.size()) {
    left_out.push_back({{"detail", fmt::format("{} more differences are not named", all - differences.size())}});
  }
  if (verify->glob.empty()) note_acls_of(*verify, outcome);
  const bool equal = all == 0 && incomplete == 0 && verify->not_compared == 0 && !verify->accounts.empty();
  const double elapsed = std::chrono::duration<double>(Clock::now() - verify->start).count();
  json answer = {{"equal", equal},
                 {"deep", verify->deep},
                 {"elapsed_seconds", elapsed},
                 {"accounts", outcome.accounts.size()},
                 {"folders", folders},
                 {"messages", messages},
                 {"bytes", bytes},
                 {"differences", std::move(differences)},
                 {"left_out", std::move(left_out)}};
  if (verify->repair) answer["repaired"] = repaired;
  if (verify->aside_extra) answer["aside"] = aside;
  spdlog::info("verify-end equal={} differences={} accounts={} seconds={:.1f}", equal, all, outcome.accounts.size(),
               elapsed);
  if (verify->glob.empty()) remember_verify(verify->deep, equal, all);
  verify->reply->finish(answer);
}

/// A comparison has asked every file: it knows the number.
void Engine::note_acls_of(const Verify& verify, const Verification::Outcome& outcome) {
  for (auto& root : roots_) {
    if (root.removed) continue;
    std::uint64_t acls = 0;
    bool compared = false;
    for (std::size_t i = 0; i < outcome.accounts.size(); ++i) {
      if (verify.accounts[i].root != root.config.name) continue;
      compared = true;
      acls += outcome.accounts[i].verdict.acls;
    }
    if (compared) note_acls(root, acls);
  }
}

// ---- the last one, for `status` ----

void Engine::recall_verify() {
  const auto stored = state_->value("verified");
  if (stored && *stored) verified_ = json::parse(**stored, nullptr, false);
  if (!verified_.is_object()) verified_ = nullptr;
}

void Engine::remember_verify(bool deep, bool equal, std::size_t differences) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  verified_ = {{"at", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now))},
               {"unix", static_cast<std::int64_t>(now)},
               {"deep", deep},
               {"equal", equal},
               {"differences", differences}};
  if (const auto stored = state_->set_value("verified", verified_.dump()); !stored) keeper_failed(stored.error());
}

// ---- accounts that somebody waits for ----

void Engine::settle_account(AccountId id, Work work, std::function<void(std::string)> done) {
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return done("");  // its removal is durable
  Account& account = found->second;
  if (work.compare && roots_[account.root].mode == config::Mode::drain) {
    return done("its root is drained: the destination goes its own way");
  }
  account.wanted_generation = ++generation_;
  account.work.merge(work);
  account.not_before = {};
  settling_.push_back({id, account.wanted_generation, Clock::now() + k_settle_limit, std::move(done)});
  schedule(account);
  dispatch();
  check_settling();
}

/// Nothing while it is worth waiting.
std::optional<std::string> Engine::settled(const Settling& settling) const {
  const auto found = accounts_.find(settling.account);
  if (found == accounts_.end() || roots_[found->second.root].removed) return "";
  const Account& account = found->second;
  if (account.verified_generation >= settling.generation) return "";
  if (roots_[account.root].is_held()) return roots_[account.root].held_because();
  if (account.held) return account.hold_reason;
  if (paused_) return "the agent is paused, and changes of this account may wait to be sent; maildirsync resume";
  if (Clock::now() < settling.deadline) return std::nullopt;
  const std::string late = account.complete ? "its latest changes" : "its first pass, which is not finished,";
  return late + " did not become durable within " + std::to_string(k_settle_limit / 1s) + " s" +
         (link_error_ ? ": " + link_error_->message() : "");
}

void Engine::check_settling() {
  std::vector<std::pair<std::function<void(std::string)>, std::string>> ready;
  std::erase_if(settling_, [&](Settling& settling) {
    auto answer = stopping_ ? std::optional<std::string>("the agent ends") : settled(settling);
    if (!answer) return false;
    ready.emplace_back(std::move(settling.done), std::move(*answer));
    return true;
  });
  for (auto& [done, answer] : ready)
    done(std::move(answer));
}

}  // namespace maildirsync::agent
