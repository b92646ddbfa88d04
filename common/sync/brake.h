#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync {

/// How many message files a plan takes away for good. A name that goes is no loss while the file keeps another name in
/// the account, or gets one by the plan: of a move, the new name is often sent before the old one goes. `names` says
/// how many names each inode has in the account before; an inode that is not known counts as lost.
std::uint64_t messages_lost(const std::vector<Operation>& plan,
                            const std::unordered_map<std::uint64_t, std::size_t>& names);

/// The mass-deletion brake: whether an account must be held because more than 25 % and at least 50 of its messages
/// would go at once. `messages` counts those before the deletions; `lost` those that went within the window plus those
/// about to go (messages_lost).
bool should_hold(std::uint64_t messages, std::uint64_t lost);

}  // namespace maildirsync::sync
