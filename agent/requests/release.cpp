// `release`: what is held goes on. It says first what that is, and what would be deleted.

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/service/event.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

decisions::Release release_of(const Root& root, const std::string& account, ErrorCode code) {
  return {root.config.name, account, std::string(to_string(code)),
          decisions::stamp_of(os::wall_clock() / 1'000'000'000)};
}

}  // namespace

/// On the disk before it is answered. As "held" it only tells. With "messages", what a person was told that would go:
/// refused when it became more since.
void Engine::release(const json& request, const std::shared_ptr<control::Reply>& reply) {
  const std::string glob = request.value("account", "");
  json held = json::array();
  std::uint64_t messages = 0, bytes = 0;
  std::vector<Account*> accounts;
  std::vector<std::size_t> roots;
  std::string undecided;
  for (std::size_t i = 0; glob.empty() && i < roots_.size(); ++i) {
    const Root& root = roots_[i];
    if (!root.is_held() || root.removed) continue;
    if (root.agreement.hold) {
      undecided = root.agreement.hold->detail;
    } else {
      roots.push_back(i);
    }
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
  if (request.value("command", "") == "held") return reply->finish(answer);
  if (request.contains("messages") && request.value("messages", std::uint64_t{0}) < messages) {
    return reply->finish(control::error(
        "changed", fmt::format("{} messages would be deleted now, more than you were shown; nothing was released: ask "
                               "again",
                               messages)));
  }
  // Which of two decisions counts is said by them.
  if (accounts.empty() && roots.empty() && !undecided.empty()) {
    return reply->finish(control::error("undecided", "nothing was released: " + undecided));
  }
  const bool tells =
      std::any_of(roots.begin(), roots.end(), [&](std::size_t i) { return !roots_[i].destination_hold.empty(); });
  if (tells && !is_connected()) {
    return reply->finish(
        control::error("unreachable",
                       "the receiver holds the destination, and is not connected: nothing was released; "
                       "once it is, ask again, or run maildirsync release on its server"));
  }
  std::vector<decisions::Release> said;
  std::vector<AccountId> ids;
  for (const Account* account : accounts) {
    said.push_back(release_of(roots_[account->root], account->path, account->hold_code));
    ids.push_back(account->id);
  }
  for (const std::size_t i : roots) {
    if (roots_[i].held) said.push_back(release_of(roots_[i], "", ErrorCode::root_gone));
  }
  decisions_->change(
      [said](decisions::Book& book) { book.releases.insert(book.releases.end(), said.begin(), said.end()); },
      [this, reply, ids, roots, answer = std::move(answer)](const Result<>& kept) mutable {
        if (!kept) return reply->finish(control::error("state", kept.error().message()));
        std::size_t released = roots.size();
        for (const AccountId id : ids) {
          const auto found = accounts_.find(id);
          if (found == accounts_.end() || !found->second.held) continue;  // it came back meanwhile
          let_go(found->second);
          ++released;
        }
        for (const std::size_t i : roots)
          let_go(roots_[i], i);
        dispatch();
        answer["released"] = released;
        answer["message"] = released == 0 ? "nothing was held" : "released: " + std::to_string(released);
        reply->finish(answer);
      });
}

/// Where it is let go by another word than this command's.
void Engine::note_release(const Account& account) {
  decisions_->change([release = release_of(roots_[account.root], account.path, account.hold_code)](
                         decisions::Book& book) { book.releases.push_back(release); },
                     [](const Result<>&) {});
}

void Engine::let_go(Account& account) {
  const bool was_gone = account.is_gone();
  if (account.held && account.hold_code == ErrorCode::mount_gone) discover_root(account.root);  // which may not find it
  end_hold(account, "account-released");
  account.released = true;
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
  for (Account* account : accounts_of(index)) {
    account->released = account->work.structure = true;
    schedule(*account);
  }
  discover_root(index);
}

/// There is no account that it could let go.
void Engine::forget_release(const Root& root) {
  decisions_->change(
      [name = root.config.name](decisions::Book& book) {
        std::erase_if(book.releases, [&](const auto& release) {
          return release.root == name && release.account.empty() && release.code == to_string(ErrorCode::root_gone);
        });
      },
      [](const Result<>&) {});
}

/// It was made use of. A release of the root lasts, over restarts too, until every account that it let go was looked
/// at.
void Engine::forget_release(Account& account) {
  if (!std::exchange(account.released, false)) return;
  const auto accounts = accounts_of(account.root);
  const bool is_last = std::none_of(accounts.begin(), accounts.end(), [](const Account* one) { return one->released; });
  decisions_->change(
      [root = roots_[account.root].config.name, path = account.path, is_last](decisions::Book& book) {
        std::erase_if(book.releases, [&](const auto& release) {
          const bool is_of_root = release.account.empty() && release.code == to_string(ErrorCode::root_gone);
          return release.root == root && (release.account == path || (is_of_root && is_last));
        });
      },
      [](const Result<>&) {});
}

}  // namespace maildirsync::agent
