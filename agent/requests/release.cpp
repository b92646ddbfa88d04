// `release`: what is held goes on. It says first what that is, and what would be deleted.

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/service/event.h"

namespace maildirsync::agent {

using nlohmann::json;

/// As "held" it only tells. With "messages", what a person was told that would go: refused when it became more since.
void Engine::release(const json& request, control::Reply& reply) {
  const std::string glob = request.value("account", "");
  json held = json::array();
  std::uint64_t messages = 0, bytes = 0;
  std::vector<Account*> accounts;
  std::vector<std::size_t> roots;
  for (std::size_t i = 0; glob.empty() && i < roots_.size(); ++i) {
    const Root& root = roots_[i];
    if (!root.is_held() || root.removed) continue;
    roots.push_back(i);
    sync::Loss loss;
    for (const Account* account : accounts_of(i)) {
      if (!root.held) break;  // the destination's directory is another one: nothing of it is deleted
      loss.messages += account->messages;
      loss.bytes += account->bytes;
    }
    held.push_back({{"root", root.config.name},
                    {"account", nullptr},
                    {"accounts", accounts_of(i).size()},
                    {"code", root.hold_code()},
                    {"messages", loss.messages},
                    {"bytes", loss.bytes},
                    {"trash", trashes_.contains(root.config.name)},
                    {"reason", os::printable(root.held_because())}});
  }
  for (auto& [id, account] : accounts_) {
    if (account.held && maildir::is_chosen(glob, account.name)) accounts.push_back(&account);
  }
  std::sort(accounts.begin(), accounts.end(), [](const Account* a, const Account* b) { return a->name < b->name; });
  for (const Account* account : accounts) {
    held.push_back({{"root", roots_[account->root].config.name},
                    {"account", os::printable(account->name)},
                    {"code", to_string(account->hold_code)},
                    {"messages", account->hold_loss.messages},
                    {"bytes", account->hold_loss.bytes},
                    {"trash", has_trash(*account)},
                    {"reason", os::printable(account->hold_reason)}});
  }
  for (const auto& one : held) {
    messages += one["messages"].get<std::uint64_t>();
    bytes += one["bytes"].get<std::uint64_t>();
  }
  json answer = {{"ok", true}, {"held", std::move(held)}, {"messages", messages}, {"bytes", bytes}};
  if (request.value("command", "") == "held") return reply.finish(answer);
  if (request.contains("messages") && request.value("messages", std::uint64_t{0}) < messages) {
    return reply.finish(control::error(
        "changed", fmt::format("{} messages would be deleted now, more than you were shown; nothing was released: ask "
                               "again",
                               messages)));
  }
  for (Account* account : accounts)
    let_go(*account);
  for (const std::size_t i : roots)
    let_go(roots_[i], i);
  dispatch();
  const std::size_t released = accounts.size() + roots.size();
  answer["released"] = released;
  answer["message"] = released == 0 ? "nothing was held" : "released: " + std::to_string(released);
  reply.finish(answer);
}

void Engine::let_go(Account& account) {
  const bool was_gone = account.is_gone();
  if (account.held && account.hold_code == ErrorCode::mount_gone) discover_root(account.root);  // which may not find it
  end_hold(account, "account-released");
  account.released = true;
  decisions_->change([release = decisions::Release{roots_[account.root].config.name, account.path,
                                                   std::string(to_string(account.hold_code)),
                                                   decisions::stamp_of(os::wall_clock() / 1'000'000'000)}](
                         decisions::Book& book) { book.releases.push_back(release); },
                     [](const Result<>&) {});
  account.work.structure = true;
  account.work.settled = true;
  if (was_gone) {
    account.gone_confirmed = true;
    account.awaits_discovery = false;
  }
  schedule(account);
}

void Engine::let_go(Root& root, std::size_t index) {
  if (!root.destination_hold.empty()) release_destination(root);
  if (!root.held) return;
  root.released = true;
  root.loses_until = {};
  spdlog::info("root-released root={}", root.config.name);
  for (Account* account : accounts_of(index))
    account->released = true;
  discover_root(index);
}

}  // namespace maildirsync::agent
