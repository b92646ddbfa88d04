#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agent/link/link.h"
#include "common/sync/lift_times.h"
#include "common/sync/reconcile.h"

namespace maildirsync::agent {

// Questions to the receiver over one connection; each waits for the answer, or for the connection's end (cancelled).
// Any thread but the event loop's; `epoch` is the connection's, from the link's outbox.

struct AccountListing {
  sync::AccountManifest manifest;    ///< sorted, with that side's owners; exists == false when nothing
  std::vector<std::string> indexed;  ///< folders of which a Dovecot has written an index there
  sync::TimesByFolder times;         ///< which times are kept there
  std::map<std::string, std::uint64_t>
      looks;  ///< State::FolderLook, before the listing; 0 where the receiver tells none
};

/// The other side, as turns and comparisons ask it.
class Inquiry {
 public:
  virtual ~Inquiry() = default;
  /// What the destination holds of an account, see ask_for_listing.
  virtual Result<AccountListing> list(const wire::List& question) = 0;
  /// The destination's owners for these of the source, in order; nothing for one that is not mapped.
  virtual Result<std::vector<sync::MappedOwner>> map_owners(const std::string& root,
                                                            const std::vector<sync::Attributes>& owners) = 0;
};

/// The other side, as turns ask it.
class TurnInquiry : public Inquiry {
 public:
  /// Which of these messages the account's users have had there, see ask_for_had.
  virtual Result<std::set<std::string>> had(const std::string& root, const std::string& account,
                                            const std::set<std::string>& bases) = 0;
};

/// What the destination holds of an account. An error without a path is the whole root's. `inode` of an entry is its
/// change stamp if `question` looks only, else 0.
Result<AccountListing> ask_for_listing(Link& link, std::uint64_t epoch, const wire::List& question);

/// The paths of the accounts that the destination has below a root.
Result<std::vector<std::string>> ask_for_accounts(Link& link, std::uint64_t epoch, const std::string& root,
                                                  const std::string& pattern);

/// How many owners one question is about at most; the receiver takes 10,000.
inline constexpr std::size_t k_owners_at_once = 2000;

/// What the receiver makes of these owners, at most k_owners_at_once, and with `space` how much room the root has.
Result<wire::MappedOwners> ask_about_owners(Link& link, std::uint64_t epoch, const std::string& root,
                                            std::span<const sync::Attributes> owners, bool space);

/// Whether a file of that size and owner could be written in an account now. A receiver that knows no such question
/// answers without fits and free bytes: `protocol`.
Result<wire::MappedOwners::Room> ask_for_room(Link& link, std::uint64_t epoch, const std::string& root,
                                              const std::string& account, std::uint64_t bytes,
                                              const sync::Attributes& owner);

/// The destination's (uid, gid) for each of these owners at the source; nothing for one that is not mapped.
Result<std::vector<sync::MappedOwner>> ask_for_owners(Link& link, std::uint64_t epoch, const std::string& root,
                                                      const std::vector<sync::Attributes>& owners);

/// Which accounts of such a question (List.believed) do not look as is believed, by their place in it.
Result<std::vector<std::uint32_t>> ask_for_differing(Link& link, std::uint64_t epoch, const wire::List& question);

/// Which of these messages (by their base names) the users of an account in a drained root have had there, as far as
/// the receiver remembers. A receiver that does not know the question: `protocol`.
Result<std::set<std::string>> ask_for_had(Link& link, std::uint64_t epoch, const std::string& root,
                                          const std::string& account, const std::set<std::string>& bases);

/// Has the receiver mark the directory of a root for the mail that is to come, unless it is marked; what it says of it
/// then. Of one that cannot be used, and by a receiver of an earlier release, nothing (no root, no id).
Result<wire::Destination> mark_destination(Link& link, std::uint64_t epoch, const std::string& root);

/// Has the receiver accept the directory of a root as it is now; gives what it says of it then.
Result<wire::Destination> take_destination(Link& link, std::uint64_t epoch, const std::string& root);

}  // namespace maildirsync::agent
