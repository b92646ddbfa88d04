#include "agent/turn/removals.h"

namespace maildirsync::agent {

namespace {

/// What changed this recently may be the beginning of an `rm -rf`: the brake must see all of it.
constexpr std::chrono::seconds k_recent{1};

}  // namespace

Removals settle(const Going& going) {
  const bool has_grown = going.operations > going.seen;
  if (has_grown && going.extent != Going::Extent::some) return Removals::in_mass;
  if (going.settled || !going.age) return Removals::go;
  // What a walk finds may have gone at any time before it.
  return *going.age <= k_recent || going.found == Going::Found::by_walk ? Removals::settle : Removals::go;
}

}  // namespace maildirsync::agent
