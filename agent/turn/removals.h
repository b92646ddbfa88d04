#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace maildirsync::agent {

/// What becomes of what a turn would take away at the destination.
enum class Removals : std::uint8_t {
  go,       ///< they are sent, or there are none
  settle,   ///< they wait a moment, so that a mass is seen as a whole
  in_mass,  ///< they wait until nothing more goes
};

/// What would be taken away, as far as it may be the beginning of more.
struct Going {
  enum class Extent : std::uint8_t {
    some,
    a_whole_kind,  ///< all that a folder had, or a control file: so an `rm -rf` of few messages begins
    mass,          ///< sync::is_mass
  };
  enum class Found : std::uint8_t { by_event, by_walk };

  std::uint64_t operations = 0;  ///< that take something away
  Extent extent = Extent::some;
  Found found = Found::by_event;
  /// So many of them were seen by a look that is old enough: they are believed when they are not more by now.
  std::uint64_t seen = 0;
  bool settled = false;                         ///< they have waited already
  std::optional<std::chrono::nanoseconds> age;  ///< of the oldest change; nothing for looks that only make sure
};

/// Which removals settle first. Pure.
Removals settle(const Going& going);

}  // namespace maildirsync::agent
