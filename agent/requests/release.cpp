// `release`: what is held goes on. It says first what that is, and what would be deleted or undone.

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/requests/commands.h"
#include "agent/requests/requests.h"
#include "agent/requests/undo_preview.h"
#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

/// What is held, and would go on.
struct HeldNow {
  json told = json::array();
  std::uint64_t messages = 0, bytes = 0;
  std::vector<AccountId> accounts;
  std::vector<std::size_t> roots;
  sync::UsersWork undoes;
  std::string undecided;  ///< a root that waits for a decision, and not for this

  void add(const json& one) {
    messages += one["messages"].get<std::uint64_t>();
    bytes += one["bytes"].get<std::uint64_t>();
    told.push_back(one);
  }
};

void add_root(const Parts& parts, std::size_t index, HeldNow& held) {
  const Root& root = parts.roster.roots[index];
  if (!root.is_held() || root.removed) return;
  if (root.agreement.hold || !root.overlap.hold.empty()) {
    held.undecided = root.held_because();
  } else {
    held.roots.push_back(index);
  }
  const auto accounts = parts.roster.accounts_of(index);
  sync::Loss loss;
  for (const Account* account : accounts) {
    if (!root.held) break;  // the destination's directory is another one: nothing of it is deleted
    loss.messages += account->messages;
    loss.bytes += account->bytes;
  }
  held.add({{"root", root.config.name},
            {"account", nullptr},
            {"accounts", accounts.size()},
            {"code", root.hold_code()},
            {"messages", loss.messages},
            {"bytes", loss.bytes},
            {"trash", parts.lanes.has_trash(root.config.name)},
            {"reason", os::printable(root.held_because())}});
}

bool undoes_users_work(const Account& account) {
  return account.hold_code == ErrorCode::users_at_destination;
}

HeldNow find_held(const Parts& parts, const std::string& glob) {
  HeldNow held;
  const Roster& roster = parts.roster;
  for (std::size_t i = 0; glob.empty() && i < roster.roots.size(); ++i)
    add_root(parts, i, held);
  std::vector<const Account*> accounts;
  for (const auto& [id, account] : roster.accounts) {
    if (account.held && maildir::is_chosen(glob, account.name)) accounts.push_back(&account);
  }
  std::sort(accounts.begin(), accounts.end(), [](const Account* a, const Account* b) { return a->name < b->name; });
  for (const Account* account : accounts) {
    const std::string& root = roster.root_of(*account).config.name;
    held.accounts.push_back(account->id);
    if (undoes_users_work(*account)) held.undoes += account->hold_undoes;
    held.add({{"root", root},
              {"account", os::printable(account->name)},
              {"code", to_string(account->hold_code)},
              {"messages", account->hold_loss.messages},
              {"bytes", account->hold_loss.bytes},
              {"undoes", undoes_users_work(*account) ? to_json(account->hold_undoes) : json(nullptr)},
              {"trash", parts.lanes.has_trash(root)},
              {"reason", os::printable(account->hold_reason)}});
  }
  return held;
}

/// Why nothing can be released, as an answer.
std::optional<json> refusal(const Parts& parts, const json& request, const HeldNow& held) {
  if (request.contains("messages") && request.value("messages", std::uint64_t{0}) < held.messages) {
    return control::error(
        "changed", fmt::format("{} messages would be deleted now, more than you were shown; nothing was released: ask "
                               "again",
                               held.messages));
  }
  // Which of two decisions counts is said by them.
  if (held.accounts.empty() && held.roots.empty() && !held.undecided.empty()) {
    return control::error("undecided", "nothing was released: " + held.undecided);
  }
  const bool tells = std::any_of(held.roots.begin(), held.roots.end(), [&](std::size_t index) {
    return !parts.roster.roots[index].destination_hold.empty();
  });
  if (tells && !parts.lanes.is_connected()) {
    return control::error("unreachable",
                          "the receiver holds the destination, and is not connected: nothing was released; "
                          "once it is, ask again, or run maildirsync release on its server");
  }
  return std::nullopt;
}

std::vector<decisions::Release> releases_of(const Roster& roster, const HeldNow& held) {
  std::vector<decisions::Release> said;
  for (const AccountId id : held.accounts) {
    const Account& account = roster.accounts.at(id);
    said.push_back(release_of(roster.root_of(account), account.path, account.hold_code));
  }
  for (const std::size_t index : held.roots) {
    if (roster.roots[index].held) said.push_back(release_of(roster.roots[index], "", ErrorCode::root_gone));
  }
  return said;
}

std::size_t let_go(Parts& parts, const HeldNow& held) {
  std::size_t released = held.roots.size();
  for (const AccountId id : held.accounts) {
    Account* account = parts.roster.find(id);
    if (account == nullptr || !account->held) continue;  // it came back meanwhile
    parts.releases.let_go(*account);
    ++released;
  }
  for (const std::size_t index : held.roots)
    parts.releases.let_go(parts.roster.roots[index]);
  parts.schedule.dispatch();
  return released;
}

}  // namespace

/// On the disk before it is answered. As "held" it only tells. With "messages", what a person was told that would go:
/// refused when it became more since.
void release(Requests& requests, const json& request, Reply reply) {
  Parts& parts = requests.parts();
  const HeldNow held = find_held(parts, request.value("account", ""));
  json answer = {{"ok", true},
                 {"held", held.told},
                 {"messages", held.messages},
                 {"bytes", held.bytes},
                 {"undoes", to_json(held.undoes)},
                 {"undoes_detail", describe(held.undoes)}};
  if (request.value("command", "") == "held") return reply->finish(answer);
  if (const auto refused = refusal(parts, request, held)) return reply->finish(*refused);
  parts.agreements.decisions().change(
      [said = releases_of(parts.roster, held)](decisions::Book& book) {
        book.releases.insert(book.releases.end(), said.begin(), said.end());
      },
      [&parts, reply, held, answer = std::move(answer)](const Result<>& kept) mutable {
        if (!kept) return reply->finish(control::error("state", kept.error().message()));
        const std::size_t released = let_go(parts, held);
        answer["released"] = released;
        answer["message"] = released == 0 ? "nothing was held" : "released: " + std::to_string(released);
        reply->finish(answer);
      });
}

}  // namespace maildirsync::agent
