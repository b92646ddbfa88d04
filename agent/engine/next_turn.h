#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "agent/turn/turn.h"

namespace maildirsync::agent {

/// How a turn ended, as far as its account's next one depends on it.
struct EndedTurn {
  enum class Connection : std::uint8_t { kept, lost };  ///< while something was on its way
  enum class Retry : std::uint8_t { no, yes };          ///< something was refused that may pass
  enum class Refused : std::uint8_t {
    nothing,
    looked_for,  ///< only what the destination is looked at for, and is tried again
    named,       ///< something that people are told of
  };
  enum class Destination : std::uint8_t {
    as_believed,
    in_doubt,  ///< something failed that may have been done
    differs,   ///< it is not as the state says
  };
  enum class Room : std::uint8_t { enough, waits };  ///< what is not there yet waits for room at the destination

  TurnEnd end = TurnEnd::sent;
  Connection connection = Connection::kept;
  Retry retry = Retry::no;
  Refused refused = Refused::nothing;
  Destination destination = Destination::as_believed;
  Removals removals = Removals::go;
  Room room = Room::enough;
  Work ordered;                          ///< what it was given to look at …
  Work later;                            ///< … what it was told of since …
  Work again;                            ///< … and of that, what must be looked at again
  std::chrono::nanoseconds rests_in{0};  ///< when the youngest stamp of a folder in `again` is old enough
  std::uint64_t generation = 0;          ///< of the flush that it answers
  std::uint64_t satisfied = 0;           ///< the newest flush that was satisfied before
  unsigned failures = 0;                 ///< turns in a row that had to be repeated, before this one
};

/// What an account's next turn is to look at, and what it waits for.
struct NextTurn {
  enum class WaitsFor : std::uint8_t {
    change,    ///< all is done
    room,      ///< at the destination
    person,    ///< the account must be held
    walk,      ///< which says whether the account is gone
    missing,   ///< until no more goes missing at the destination
    mass,      ///< until no more of a mass of removals goes
    its_time,  ///< `delay`
  };
  WaitsFor waits_for = WaitsFor::change;
  Work work;              ///< to be added to the account's
  bool in_doubt = false;  ///< whatever it is for, it asks first what the destination holds
  Clock::duration delay{};
  std::optional<std::uint64_t> satisfied;  ///< a flush that waits for nothing more of the account
  unsigned failures = 0;
};

/// Pure.
NextTurn next_turn(const EndedTurn& turn);

/// Whether a turn shows that nothing is wrong with an account that was held.
bool shows_that_all_is_well(const EndedTurn& turn);

}  // namespace maildirsync::agent
