// `plan`: an inventory before a migration. Waits until every root was walked, then for its thread.

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include <inotifytools/inotifytools.h>

#include "agent/inventory/inventory_run.h"
#include "agent/requests/commands.h"
#include "agent/requests/requests.h"
#include "agent/requests/status.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

/// How long a connection is waited for, as after a start.
constexpr std::chrono::seconds k_connect{5};

/// What is known of accounts by the mirror's work, and neither by a walk nor by a question about owners and space.
bool is_standing(std::string_view code) {
  static constexpr std::array k_standing{
      std::string_view("account-gone"),         std::string_view("mass-deletion"), std::string_view("mount-gone"),
      std::string_view("users-at-destination"), std::string_view("conflict"),      std::string_view("not-empty"),
      std::string_view("owned-by-another"),     std::string_view("stale-index"),   std::string_view("foreign-owner"),
      std::string_view("time-range"),           std::string_view("unexpected"),    std::string_view("basis-mismatch")};
  return std::find(k_standing.begin(), k_standing.end(), code) != k_standing.end();
}

Facts::Root facts_of(const Root& root) {
  Facts::Root fact{.name = root.config.name,
                   .path = root.config.path,
                   .mode = config::name_of(root.mode),
                   .accounts = root.config.accounts,
                   .trouble = root.is_held()    ? root.held_because()
                              : root.unreadable ? root.unreadable->message()
                                                : "",
                   .trouble_code = ErrorCode::root_gone,
                   .distant_trouble = "",
                   .distant_code = ErrorCode::root_gone,
                   .left_out = {},
                   .space = std::nullopt};
  if (const auto held = root.hold()) {
    fact.trouble_code = held->code;
  } else if (root.unreadable) {
    fact.trouble_code = root.unreadable->code;
  }
  for (const auto& problem : root.problems) {
    const bool is_told = root.unreadable && problem.path == root.unreadable->path;
    if (problem.code != ErrorCode::unwatched && !is_told)
      fact.left_out.push_back({problem.code, problem.path, problem.detail});
  }
  return fact;
}

class InventoryRequest : public Request {
 public:
  InventoryRequest(Requests& requests, const json& request, Reply reply)
      : Request(std::move(reply)),
        requests_(requests),
        parts_(requests.parts()),
        glob_(request.value("account", "")),
        walks_(parts_.walks.walk_all(Search::everywhere)) {}

  void advance() override;
  void cancel() override;
  bool has_thread() const override { return run_ && run_->is_running(); }

 private:
  void begin();
  void add_accounts(InventoryRun::Order& order) const;

  Requests& requests_;
  Parts& parts_;
  const std::string glob_;
  std::vector<std::uint64_t> walks_;  ///< of each root, that must have ended
  std::size_t accounts_ = 0;
  const Time start_ = Clock::now();
  std::unique_ptr<InventoryRun> run_;
};

void InventoryRequest::advance() {
  if (run_) return;
  const bool waits_for_link = !parts_.lanes.is_connected() && Clock::now() - start_ <= k_connect;
  if (parts_.walks.have_walked(walks_) && !waits_for_link) begin();
}

/// The thread's answer ends it, if there is one.
void InventoryRequest::cancel() {
  if (!run_) return end();
  run_->abort();
}

void InventoryRequest::begin() {
  InventoryRun::Order order;
  Facts& facts = order.facts;
  for (const auto& root : parts_.roster.roots) {
    if (root.removed) continue;
    facts.roots.push_back(facts_of(root));
    facts.roots.back().may_be_empty = parts_.roster.may_be_empty(root);
  }
  add_accounts(order);
  if (facts.accounts.empty() && !glob_.empty()) {
    return end(control::error("usage", "no account matches '" + glob_ + "'"));
  }
  facts.is_of_all = glob_.empty();
  for_each_problem(requests_, glob_, [&](const Told& told) {
    if (is_standing(told.code) && !told.account.empty()) {
      facts.standing.push_back({std::string(told.code), told.root, told.account, told.path, told.detail});
    }
  });
  facts.receiver_address = parts_.config.receiver.text();
  const auto& error = parts_.lanes.error();
  facts.receiver_trouble = error ? error->message() : "it is not connected yet";
  order.link = parts_.lanes.up();
  if (order.link) order.epoch = order.link->outbox().epoch();
  facts.needs_watches = parts_.watcher.backend() == std::string_view("inotify");
  facts.watch_limit = static_cast<std::uint64_t>(std::max(0, inotifytools_get_max_user_watches()));
  facts.bandwidth_limit = parts_.config.transfer.bandwidth_limit;
  facts.measured_bytes_per_second = requests_.copy_rate().bytes_per_second().value_or(0);
  accounts_ = facts.accounts.size();
  const std::weak_ptr<InventoryRequest> weak = std::static_pointer_cast<InventoryRequest>(shared_from_this());
  run_ = std::make_unique<InventoryRun>(
      parts_.loop, std::move(order),
      InventoryRun::Hooks{.progress =
                              [weak](std::size_t done, std::uint64_t messages, std::uint64_t bytes) {
                                const auto asked = weak.lock();
                                if (!asked) return;
                                asked->progress({{"accounts_done", done},
                                                 {"accounts", asked->accounts_},
                                                 {"messages", messages},
                                                 {"bytes", bytes}});
                              },
                          .done =
                              [weak](const json& answer) {
                                // Its thread is joined when the list of requests lets it go, at the next change.
                                if (const auto asked = weak.lock()) asked->end(answer);
                              }});
}

void InventoryRequest::add_accounts(InventoryRun::Order& order) const {
  Facts& facts = order.facts;
  std::set<std::pair<std::size_t, std::string>> above;
  for (const auto& [id, account] : parts_.roster.accounts) {
    const Root& root = parts_.roster.root_of(account);
    const bool is_there = !root.removed && root.directory && !account.awaits_discovery && !account.gone_confirmed;
    if (!is_there || !maildir::is_chosen(glob_, account.name)) continue;
    facts.accounts.push_back({.root = root.config.name,
                              .name = account.name,
                              .inventory = {},
                              .there_bytes = account.bytes,
                              .there_messages = account.messages});
    order.accounts.push_back({account.path, root.directory});
    for (std::size_t slash = 0; slash != std::string::npos; slash = account.path.find('/', slash + 1))
      above.insert({account.root, account.path.substr(0, slash)});
  }
  facts.directories_above = above.size();
}

}  // namespace

void inventory(Requests& requests, const json& request, Reply reply) {
  requests.begin(std::make_shared<InventoryRequest>(requests, request, std::move(reply)));
}

}  // namespace maildirsync::agent
