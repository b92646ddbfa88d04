#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/send/link.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

// Questions to the receiver over one connection; each waits for the answer, or for the connection's end (cancelled).
// Any thread but the event loop's; `epoch` is the connection's, from the link's outbox.

struct AccountListing {
  sync::AccountManifest manifest;    ///< sorted, with that side's owners; exists == false when nothing
  std::vector<std::string> indexed;  ///< folders of which a Dovecot has written an index there
};

/// What the destination holds of an account. `inode` of an entry is its change stamp if `question` looks only, else 0.
Result<AccountListing> ask_for_listing(Link& link, std::uint64_t epoch, const wire::List& question);

/// The paths of the accounts that the destination has below a root.
Result<std::vector<std::string>> ask_for_accounts(Link& link, std::uint64_t epoch, const std::string& root,
                                                  const std::string& pattern);

/// The destination's (uid, gid) for each of these owners at the source; nothing for one that is not mapped.
Result<std::vector<std::optional<std::pair<std::uint32_t, std::uint32_t>>>> ask_for_owners(
    Link& link, std::uint64_t epoch, const std::string& root, const std::vector<sync::Attributes>& owners);

}  // namespace maildirsync::agent
