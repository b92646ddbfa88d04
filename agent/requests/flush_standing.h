#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/os/result.h"

namespace maildirsync::agent {

/// What the engine knows of an account that a flush waits for. A sentence that is empty says nothing.
struct FlushFacts {
  bool satisfied = false;  ///< a turn that began after the flush was called has ended clean, or has said what it lacks
  std::string root_hold;   ///< why its root is held …
  std::string root_hold_code = "root-gone";         ///< … and that problem's code
  std::string account_hold;                         ///< why it is held itself …
  std::string account_hold_code = "mass-deletion";  ///< … and that problem's code
  bool paused = false;                              ///< the agent
  bool connected = true;                            ///< to the receiver
  std::string not_found;                            ///< why the walk of its root did not reach it
  std::string not_found_code;                       ///< of that problem
  bool in_turn = false;                             ///< its turn is under way …
  std::uint64_t to_send = 0;                        ///< … with so many messages to be sent or acknowledged …
  bool looked = false;                              ///< … and its lane has sent all it has to send:
  std::size_t sent = 0;                             ///< so many operations, of which
  std::size_t answered = 0;                         ///< so many are acknowledged or refused
  bool complete = true;                             ///< its first pass is done
  bool settles_there = false;                       ///< what vanished at the destination waits for a second look
  bool removals_wait = false;                       ///< what vanished at the source waits for a second look
  std::string refused;                              ///< the first thing that its last turn could not do, and why
  std::string unrested;                             ///< a folder that changed while it was looked at
  std::size_t before_it = 0;                        ///< accounts that have their turn before it
};

enum class FlushEnd : std::uint8_t {
  done,    ///< all of it is durable, or named among the account's problems
  waits,   ///< for what `cause` says, which ends by itself
  cannot,  ///< end without a person: `cause` says why
};

struct FlushStanding {
  FlushEnd end = FlushEnd::done;
  std::string code;   ///< of `cannot`: that of the problem
  std::string cause;  ///< a sentence without its subject
};

/// Where the flush of one account stands, with the one cause that must go first. Pure.
FlushStanding standing(const FlushFacts& facts);

}  // namespace maildirsync::agent
