#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/link/inquiry.h"
#include "agent/state/state.h"

namespace maildirsync::agent {

/// An account, and how its folders looked at the destination when the agent last had to do with them.
struct BelievedLooks {
  AccountId account = 0;
  std::string path;                                            ///< below the root
  std::vector<std::pair<std::string, std::uint64_t>> folders;  ///< with none, nothing differs
};

/// One of the questions that check some accounts; its accounts in the order in which it names them.
struct LooksQuestion {
  wire::List list;
  std::vector<AccountId> accounts;
};

/// Whether the destination must be listed to know: how one of the folders looks is not known.
bool must_be_compared(const BelievedLooks& account);

/// Questions of bounded size about these accounts of a root. Pure.
std::vector<LooksQuestion> looks_questions(const std::string& root, const std::vector<BelievedLooks>& accounts);

/// Fails when the receiver cannot use the directory of that root, whose account this is. For any thread but the event
/// loop's.
Result<> ask_whether_usable(Link& link, std::uint64_t epoch, const std::string& root, const std::string& account);

/// Which of these accounts of a root do not look at the destination as they were left: something was changed there by
/// others, or an older copy was put back. Reads the state and asks over a connection; for any thread but the event
/// loop's. While a turn is under way, what it changes there looks otherwise, too.
Result<std::vector<AccountId>> find_differing(State& state, Link& link, std::uint64_t epoch, const std::string& root,
                                              const std::vector<std::pair<AccountId, std::string>>& accounts);

}  // namespace maildirsync::agent
