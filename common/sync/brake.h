#pragma once

#include <cstdint>

namespace maildirsync::sync {

/// The mass-deletion brake: whether an account must be held because more than 25 % and at least 50 of its messages
/// would go at once. `messages` counts those before the deletions; `removed` those already gone within the window
/// plus those about to go; messages that moved do not count as removed.
bool should_hold(std::uint64_t messages, std::uint64_t removed);

}  // namespace maildirsync::sync
