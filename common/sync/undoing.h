#pragma once

#include <cstdint>
#include <vector>

#include "common/sync/users_work.h"

namespace maildirsync::sync {

/// What users did at the destination, for a person who is asked whether a mirror may undo it: what cannot be told from
/// a loss counts as users' work here. Besides what what_users_did() counts, that is what is missing with its folder or
/// with the account, a message that is missing while another of its base name lies in another folder, and control files
/// that are neither as they were acknowledged nor as the source has them. Mail that came to the source before
/// `given_until` (ns since the epoch, 0: nothing is known) had been given, on record or not: what is missing of it was
/// removed there. `listed` and `after` are complete; control files are compared by their digests where both have one.
/// Pure.
UsersWork what_a_mirror_would_undo(const AccountManifest& listed, const AccountManifest& known,
                                   const std::vector<Intent>& intents, const AccountManifest& after,
                                   std::int64_t given_until);

}  // namespace maildirsync::sync
