#include "agent/accounts/problems.h"

#include <algorithm>

#include "agent/accounts/stalls.h"
#include "agent/turn/sender.h"

namespace maildirsync::agent {

bool keeps_waiting(const Problem& problem) {
  if (problem.arrived) return false;
  switch (problem.code) {
    case ErrorCode::conflict:
    case ErrorCode::unwatched:
    case ErrorCode::special_file:
    case ErrorCode::mail_left_out:
    case ErrorCode::acl:
    case ErrorCode::not_empty:
      return false;
    default:
      return true;
  }
}

void Refused::add_since(Time time) {
  since = since ? std::min(*since, time) : time;
}

void Refused::add(const Refused& more) {
  messages += more.messages;
  others += more.others;
  accounts += more.accounts;
  if (more.since) add_since(*more.since);
}

Refused refused_of(const Account& account) {
  Refused refused;
  for (const auto& [path, problem] : account.problems) {
    if (!keeps_waiting(problem)) continue;
    if (account.room && problem.code == ErrorCode::no_space && path == account.room->path) {
      refused.messages += account.room->messages;  // one problem for all
      refused.add_since(problem.since);
      continue;
    }
    const bool message = !path.empty() && location_of(path).area != sync::Area::folder;
    ++(message ? refused.messages : refused.others);
    refused.add_since(problem.since);
  }
  refused.accounts = refused.any() ? 1 : 0;
  return refused;
}

Refused refused_of(const Root& root) {
  Refused refused;
  for (const auto& problem : root.problems) {
    if (!keeps_waiting(problem)) continue;
    ++refused.others;
    refused.add_since(problem.since);
  }
  if (root.distant_trouble) refused.add_since(root.distant_trouble->since);
  return refused;
}

std::string obstruction(const Root& root) {
  if (root.unreadable) return "it cannot be read: " + root.unreadable->message();
  if (root.distant_trouble) return root.distant_trouble->detail;
  if (root.silent_since) return silence_detail(root);
  return "";
}

bool is_initial(const Account& account) {
  const auto whole = account.problems.find("");
  const bool is_anothers = whole != account.problems.end() && whole->second.code == ErrorCode::owned_by_another;
  return !account.complete && !is_anothers;
}

bool is_refused_whole(const Account& account) {
  const auto found = account.problems.find("");
  return found != account.problems.end() && keeps_waiting(found->second);
}

void Usability::add(const Account& account) {
  if (!is_refused_whole(account)) {
    ++others_;
    return;
  }
  ++refused_;
  if (first_ == nullptr || account.name < first_->name) first_ = &account;
}

std::string Usability::trouble() const {
  if (others_ > 0 || first_ == nullptr) return "";
  const std::string all = refused_ == 1 ? "its only account is refused" : "all its accounts are refused";
  return all + ": " + first_->name + ": " + first_->problems.at("").detail;
}

std::string no_accounts(const Root& root) {
  const bool is_chosen = root.config.include != std::vector<std::string>{"*"} || !root.config.exclude.empty();
  return root.config.path + " holds no account of the form " + root.config.accounts +
         (is_chosen ? " that include and exclude let through" : "") +
         ", and nothing proves nothing. Is it mounted? Put path and accounts right in agent.toml, or take the [[root]] "
         "out";
}

std::string acl_detail(std::uint64_t acls) {
  return std::to_string(acls) +
         " files and directories of the root have POSIX ACLs, which do not come along: their modes at the destination "
         "are "
         "what owner, group and others may without them, and never more";
}

std::string_view state_of(const Account& account, const Root& root) {
  if (account.held || root.is_held()) return "held";
  if (refused_of(account).any()) return "refused";
  if (!account.complete) return "initial";
  return root.mode == config::Mode::drain ? "draining" : "live";
}

}  // namespace maildirsync::agent
