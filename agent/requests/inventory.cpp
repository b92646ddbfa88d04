#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <inotifytools/inotifytools.h>

#include "agent/engine/engine.h"
#include "agent/requests/inventory_run.h"

// The control command `plan`: an inventory before a migration.

namespace maildirsync::agent {

using nlohmann::json;

namespace {

/// How long a connection is waited for, as after a start.
constexpr std::chrono::seconds k_connect{5};

/// What the first copy moved while it had the wire: less says little.
constexpr double k_least_seconds = 10;
constexpr double k_least_bytes = 32.0 * 1024 * 1024;

/// What is known of accounts by the mirror's work, and neither by a walk nor by a question about owners and space.
bool is_standing(std::string_view code) {
  static constexpr std::array k_standing{
      std::string_view("account-gone"),         std::string_view("mass-deletion"), std::string_view("mount-gone"),
      std::string_view("users-at-destination"), std::string_view("conflict"),      std::string_view("not-empty"),
      std::string_view("owned-by-another"),     std::string_view("stale-index"),   std::string_view("foreign-owner"),
      std::string_view("time-range"),           std::string_view("unexpected"),    std::string_view("basis-mismatch")};
  return std::find(k_standing.begin(), k_standing.end(), code) != k_standing.end();
}

}  // namespace

/// Waits until every root was walked, then for its thread.
struct Engine::Plan {
  std::string glob;
  std::shared_ptr<control::Reply> reply;
  std::vector<std::uint64_t> discoveries;  ///< of each root, that must have finished
  std::size_t accounts = 0;
  Time start = Clock::now();
  std::unique_ptr<Planning> planning;
  bool finished = false;
};

void Engine::plan(const json& request, std::shared_ptr<control::Reply> reply) {
  auto plan = std::make_shared<Plan>();
  plan->glob = request.value("account", "");
  plan->reply = std::move(reply);
  plan->discoveries = walk_roots(Search::everywhere);
  plans_.push_back(std::move(plan));
}

void Engine::check_plans() {
  std::erase_if(plans_, [](const auto& plan) { return plan->finished; });
  const bool connected =
      std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->link().is_up(); });
  for (const auto& plan : plans_) {
    if (plan->planning) {
      if (!plan->reply->wanted()) plan->planning->abort();
      continue;
    }
    if (have_walked(plan->discoveries) && (connected || Clock::now() - plan->start > k_connect)) begin_plan(plan);
  }
}

void Engine::begin_plan(const std::shared_ptr<Plan>& plan) {
  Planning::Order order;
  Facts& facts = order.facts;
  for (const auto& root : roots_) {
    if (root.removed) continue;
    Facts::Root fact{.name = root.config.name,
                     .path = root.config.path,
                     .mode = root.mode == config::Mode::drain ? "drain" : "mirror",
                     .accounts = root.config.accounts,
                     .trouble = root.is_held()    ? root.held_because()
                                : root.unreadable ? root.unreadable->message()
                                                  : "",
                     .distant_trouble = "",
                     .left_out = {},
                     .space = std::nullopt};
    for (const auto& problem : root.problems) {
      const bool is_told = root.unreadable && problem.path == root.unreadable->path;
      if (problem.code != ErrorCode::unwatched && !is_told)
        fact.left_out.push_back({problem.code, problem.path, problem.detail});
    }
    facts.roots.push_back(std::move(fact));
  }
  std::set<std::pair<std::size_t, std::string>> above;
  for (const auto& [id, account] : accounts_) {
    const Root& root = roots_[account.root];
    const bool is_there = !root.removed && root.directory && !account.awaits_discovery && !account.gone_confirmed;
    if (!is_there || !maildir::is_chosen(plan->glob, account.name)) continue;
    facts.accounts.push_back({.root = root.config.name,
                              .name = account.name,
                              .inventory = {},
                              .there_bytes = account.bytes,
                              .there_messages = account.messages});
    order.accounts.push_back({account.path, root.directory});
    for (std::size_t slash = 0; slash != std::string::npos; slash = account.path.find('/', slash + 1))
      above.insert({account.root, account.path.substr(0, slash)});
  }
  if (facts.accounts.empty() && !plan->glob.empty()) {
    plan->finished = true;
    return plan->reply->finish(control::error("usage", "no account matches '" + plan->glob + "'"));
  }
  facts.is_of_all = plan->glob.empty();
  for_each_problem(plan->glob, [&](const Told& told) {
    if (is_standing(told.code) && !told.account.empty()) {
      facts.standing.push_back({std::string(told.code), told.root, told.account, told.path, told.detail});
    }
  });
  facts.directories_above = above.size();
  facts.receiver_address = config_.receiver.text();
  facts.receiver_trouble = link_error_ ? link_error_->message() : "it is not connected yet";
  const auto up = std::find_if(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->link().is_up(); });
  if (up != lanes_.end()) {
    order.link = (*up)->link().shared_from_this();
    order.epoch = order.link->outbox().epoch();
  }
  facts.needs_watches = watcher_->backend() == std::string_view("inotify");
  facts.watch_limit = static_cast<std::uint64_t>(std::max(0, inotifytools_get_max_user_watches()));
  facts.bandwidth_limit = config_.transfer.bandwidth_limit;
  if (first_copy_.seconds >= k_least_seconds && first_copy_.bytes >= k_least_bytes) {
    facts.measured_bytes_per_second = first_copy_.bytes / first_copy_.seconds;
  }
  plan->accounts = facts.accounts.size();
  const auto weak = std::weak_ptr(plan);
  plan->planning = std::make_unique<Planning>(
      loop_, std::move(order),
      Planning::Hooks{.progress =
                          [weak](std::size_t done, std::uint64_t messages, std::uint64_t bytes) {
                            const auto asked = weak.lock();
                            if (!asked) return;
                            asked->reply->progress({{"progress",
                                                     {{"accounts_done", done},
                                                      {"accounts", asked->accounts},
                                                      {"messages", messages},
                                                      {"bytes", bytes}}}});
                          },
                      .done =
                          [weak](const json& answer) {
                            const auto asked = weak.lock();
                            if (!asked) return;
                            asked->reply->finish(answer);
                            asked->finished = true;  // its thread is joined at the next tick
                          }});
}

/// Once a second: how fast the first copy goes while it has something to send.
void Engine::measure_first_copy(double seconds) {
  const bool copies = std::any_of(lanes_.begin(), lanes_.end(), [this](const auto& lane) {
    if (!lane->turn()) return false;
    const auto account = accounts_.find(lane->turn()->order.account);
    return account != accounts_.end() && !account->second.complete;
  });
  const auto sent = static_cast<double>(totals_.bytes_source.load());
  if (copies && sent > first_copy_.sent_before) {
    first_copy_.seconds += seconds;
    first_copy_.bytes += sent - first_copy_.sent_before;
  }
  first_copy_.sent_before = sent;
}

bool Engine::is_planning() const {
  return std::any_of(plans_.begin(), plans_.end(),
                     [](const auto& plan) { return plan->planning && plan->planning->is_running(); });
}

void Engine::abort_plans() {
  for (const auto& plan : plans_) {
    if (plan->planning) plan->planning->abort();
  }
}

}  // namespace maildirsync::agent
