#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync {

/// What a drained root still gives: its users live at the destination by now, so mail that is new arrives there, and
/// nothing that is there is changed or taken away.

/// Folders that `before` speaks of and that the destination no longer has: they are made again when mail comes for
/// them.
using MissingFolders = std::set<std::string>;

/// The messages of `after` that `before` does not know, each a put, and the folders they need. A message is known by
/// its inode, size and mtime wherever it was, and by its base name within its folder: one that was read, flagged, moved
/// or edited at the source is not new. A copy of a known message beside the original is. Control files never travel:
/// the destination writes its own. Pure.
std::vector<Operation> plan_drain(const AccountManifest& before, const AccountManifest& after,
                                  const MissingFolders& missing = {});

/// After a power cut at the destination: takes the messages of `known` that are torn there (see is_torn) out of
/// `listed`, and gives their removals from what is known, so that they are given again. Where its users have flagged
/// one meanwhile, the whole one comes beside it.
std::vector<Operation> forget_torn(AccountManifest& listed, const AccountManifest& known);

/// After the destination was put back as it was at an earlier time: the removals, from what is known, of the messages
/// that the destination lists nowhere in the account, so that those which the source has would be given again. Users
/// may have removed some of them before that time. Pure.
std::vector<Operation> forget_unlisted(const AccountManifest& listed, const AccountManifest& known);

struct DrainReconciled {
  std::vector<Operation> given;  ///< was done before and is not in `known`: to be recorded, not sent
  MissingFolders missing;
  std::uint64_t withheld = 0;  ///< of `given`: messages that the destination does not list, see `given_until`
};

/// After a lost connection or a lost state: of the messages that `known` lacks, those that the destination lists
/// anywhere in the account (users move mail) were given before. What `known` has stays known although the destination
/// no longer lists it: its users removed it, and it does not come back.
/// `given_until` (ns since the epoch, 0: none): where `known` is lost or older, mail that came to the source before had
/// been given, so that what is missing of it was removed there, and counts as given too. Pure.
DrainReconciled reconcile_drain(const AccountManifest& listed, const AccountManifest& known,
                                const AccountManifest& after, std::int64_t given_until = 0);

/// When a message came, at the latest (ns since the epoch): by its time stamp and by its name, which begins with the
/// second of its delivery.
std::int64_t came_at(const Entry& entry);

}  // namespace maildirsync::sync
