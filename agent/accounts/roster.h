#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/accounts/account.h"

namespace maildirsync::agent {

/// The roots and accounts of this run: what the parts of the engine work on together. A root is known by its place in
/// `roots`, which never changes: one that is no longer configured stays there as `removed`. Event loop only.
struct Roster {
  std::vector<Root> roots;
  std::unordered_map<AccountId, Account> accounts;
  const Time started = Clock::now();
  bool stopping = false;  ///< the run ends: nothing begins any more

  /// nullptr when it is not known, or not any more.
  Account* find(AccountId id);
  const Account* find(AccountId id) const;
  /// A configured root; nullptr when there is none of that name.
  Root* find_root(std::string_view name);
  std::size_t index_of(const Root& root) const { return static_cast<std::size_t>(&root - roots.data()); }
  Root& root_of(const Account& account) { return roots[account.root]; }
  const Root& root_of(const Account& account) const { return roots[account.root]; }

  std::vector<Account*> accounts_of(std::size_t root);
  std::vector<const Account*> accounts_of(std::size_t root) const;
  bool has_accounts(std::size_t root) const;
  /// A root whose accounts are those of a list, or all but those, may have none: its tree is there if another root has
  /// accounts in it.
  bool may_be_empty(const Root& root) const;
};

}  // namespace maildirsync::agent
