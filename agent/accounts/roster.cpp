#include "agent/accounts/roster.h"

#include <algorithm>

namespace maildirsync::agent {

Account* Roster::find(AccountId id) {
  const auto found = accounts.find(id);
  return found == accounts.end() ? nullptr : &found->second;
}

const Account* Roster::find(AccountId id) const {
  const auto found = accounts.find(id);
  return found == accounts.end() ? nullptr : &found->second;
}

Root* Roster::find_root(std::string_view name) {
  const auto found = std::find_if(roots.begin(), roots.end(),
                                  [&](const Root& root) { return !root.removed && root.config.name == name; });
  return found == roots.end() ? nullptr : &*found;
}

std::vector<Account*> Roster::accounts_of(std::size_t root) {
  std::vector<Account*> found;
  for (auto& [id, account] : accounts) {
    if (account.root == root) found.push_back(&account);
  }
  return found;
}

std::vector<const Account*> Roster::accounts_of(std::size_t root) const {
  std::vector<const Account*> found;
  for (const auto& [id, account] : accounts) {
    if (account.root == root) found.push_back(&account);
  }
  return found;
}

bool Roster::may_be_empty(const Root& root) const {
  if (root.config.include_file.empty() && root.config.exclude_file.empty()) return false;
  return std::any_of(accounts.begin(), accounts.end(), [&](const auto& known) {
    const Root& other = roots[known.second.root];
    return !other.removed && other.config.path == root.config.path;
  });
}

bool Roster::has_accounts(std::size_t root) const {
  return std::any_of(accounts.begin(), accounts.end(), [&](const auto& known) { return known.second.root == root; });
}

}  // namespace maildirsync::agent
