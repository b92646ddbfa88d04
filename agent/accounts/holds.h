#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/accounts/keeper.h"
#include "agent/accounts/roster.h"

namespace maildirsync::agent {

/// Accounts that wait for a person, and the masses of removals that may lead to that. Event loop only.
class Holds {
 public:
  Holds(Roster& roster, Keeper& keeper) : roster_(roster), keeper_(keeper) {}

  void hold(Account& account, ErrorCode code, const std::string& reason);
  /// Its directory is not there, and it is not away for a moment only.
  void hold_gone(Account& account);
  /// Its turn said why.
  void hold(Account& account, const TurnReport& report);
  /// `event` is the log's name for why.
  void end(Account& account, const char* event);

  /// A turn has put a mass of removals off.
  void note_mass(Account& account, const TurnReport& report);
  /// How many removals of it the next turn may believe, because nothing more of it went for some time.
  std::optional<std::uint64_t> mass_that_may_be_believed(const Account& account);
  /// A turn has found so many messages missing at the destination, and has not sent them again.
  static void note_missing_there(Account& account, std::uint64_t messages);
  /// How many of these the next turn may send again, because no more went for some time.
  static std::uint64_t missing_that_may_be_believed(const Account& account);
  /// Many accounts of the root lost much, not long ago.
  bool loses_much(std::size_t root) const;
  /// sync::wanes, of what the root lost within an hour.
  bool wanes(std::size_t root);
  void check_losses(std::size_t root);

 private:
  bool is_first_look(const Account& account) const;

  Roster& roster_;
  Keeper& keeper_;
};

/// In the state: since when an account is held as gone, in seconds since the epoch.
std::string key_of_gone(const std::string& root, const std::string& account_path);

}  // namespace maildirsync::agent
