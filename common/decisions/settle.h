#pragma once

#include <string>

#include "common/decisions/decision.h"

namespace maildirsync::decisions {

// The two sides of one root: who takes whose word, and what an agent may do meanwhile. The property that all of it
// serves: after a drain nothing of the destination is changed or removed until a newer word says mirror, whatever
// either side lost and whichever older copy of its state it was given back. Pure.

/// What an agent does after the receiver's greeting.
enum class Next : std::uint8_t {
  go_on,  ///< both know the same
  adopt,  ///< the receiver's word is newer: it is kept here, and counts
  tell,   ///< ours is newer, and the receiver has to know it before anything is sent
  begin,  ///< the root is new on both sides: its configured mode becomes the first decision
  hold    ///< decisions-lost: a person has to say it anew
};

/// `was_something`: somebody has worked on this root before, so that there must have been a decision.
Next next_of_agent(const Chain& agents, const Chain& receivers, bool was_something);

/// What the receiver keeps, of what it has and what an agent tells it: an older or a contradicting word changes
/// nothing.
const Chain& kept_by_receiver(const Chain& kept, const Chain& told);

/// What the receiver goes by, of its own file and of the copy that lies in the root itself: where they contradict each
/// other, the one that takes less away.
const Chain& newer_copy(const Chain& file, const Chain& copy);

/// What an agent names with what it sends, as a fencing token: the decision that it goes by.
struct Token {
  std::uint64_t number = 0;
  std::string id;  ///< with number 0: an agent of an earlier release, which names none
  bool operator==(const Token&) const = default;
};
Token token_of(const Chain& chain);

/// What the receiver lets an agent do.
enum class Admits : std::uint8_t { nothing, new_mail, everything };
Admits admits(const Chain& kept, const Token& token);

/// What a side knows, for people: "drain, number 2, said 2026-11-28T10:00:00Z by drain"; "nothing".
std::string describe(const Chain& chain);

}  // namespace maildirsync::decisions
