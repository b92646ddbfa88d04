#pragma once

#include <optional>

#include <asio/io_context.hpp>

#include "agent/accounts/holds.h"
#include "agent/destination/agreements.h"
#include "agent/engine/watching.h"

namespace maildirsync::agent {

/// Makes what a turn is given to do, of all that is known of its account. Event loop only.
class Orders {
 public:
  Orders(asio::io_context& loop, Roster& roster, Lanes& lanes, Holds& holds, Agreements& agreements, Watching& watching)
      : loop_(loop), roster_(roster), lanes_(lanes), holds_(holds), agreements_(agreements), watching_(watching) {}

  /// Takes the account's work.
  TurnOrder make(Account& account);

 private:
  std::optional<Work> take_later_messages(AccountId id);
  std::optional<Work> ask_for_later_messages(AccountId id);

  asio::io_context& loop_;
  Roster& roster_;
  Lanes& lanes_;
  Holds& holds_;
  Agreements& agreements_;
  Watching& watching_;
};

}  // namespace maildirsync::agent
