#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/accounts/account.h"

namespace maildirsync::agent {

// What keeps mail from arriving, counted for `status`, the metrics and the lag. Pure; event loop only.

/// Whether something of the source waits for this problem's end: mail or a control file that is not at the destination,
/// or not as it is at the source. Nothing waits for what is left out on purpose or has arrived all the same.
bool keeps_waiting(const Problem& problem);

/// What is refused, at the source or at the destination, and so waits.
struct Refused {
  std::uint64_t messages = 0;
  std::uint64_t others = 0;    ///< control files, folders, and whole accounts or domains that cannot be looked into
  std::uint64_t accounts = 0;  ///< that have any of these
  std::optional<Time> since;   ///< of the oldest

  bool any() const { return since.has_value(); }
  void add(const Refused& more);
  void add_since(Time time);
};

Refused refused_of(const Account& account);
/// Of the root itself, without its accounts: directories that cannot be looked into, and the root as a whole.
Refused refused_of(const Root& root);

/// Why the root cannot be read at the source or written at the destination; "" when it can.
std::string obstruction(const Root& root);

/// Whether its first pass is not finished. Of an account that another agent or root brings to the destination none is
/// awaited: it may stay so for ever.
bool is_initial(const Account& account);

/// Whether nothing of the account can be sent: it is refused as a whole.
bool is_refused_whole(const Account& account);

/// The accounts of a root, counted for whether any of it arrives. It can be used as a directory, and be of no use.
class Usability {
 public:
  void add(const Account& account);
  /// Why nothing of the root arrives, with the first of its accounts; "" when something does, or there is no account.
  std::string trouble() const;

 private:
  std::uint64_t refused_ = 0, others_ = 0;
  const Account* first_ = nullptr;  ///< of the refused ones, by name
};

/// What a person is told of a root without a single account.
std::string no_accounts(const Root& root);

/// What a person is told of the ACLs of a root that do not come along.
std::string acl_detail(std::uint64_t acls);

/// "held", "refused", "initial", "draining" or "live", for the counts of a root's accounts.
std::string_view state_of(const Account& account, const Root& root);

}  // namespace maildirsync::agent
