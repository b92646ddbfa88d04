#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/sync/reconcile.h"

namespace maildirsync::sync {

/// What users and their mail server have made of an account at the destination since it was acknowledged, and what a
/// mirror would take back: counted in messages.
struct UsersWork {
  std::uint64_t flags = 0;       ///< have other flags there than acknowledged, and than at the source
  std::uint64_t added = 0;       ///< of these: with a flag that neither the record nor the source has
  std::uint64_t deletions = 0;   ///< were removed there, from a folder that is still there, and would come back
  std::uint64_t moves = 0;       ///< lie in another folder there
  std::uint64_t only_there = 0;  ///< are neither acknowledged nor at the source
  std::uint64_t arrived = 0;     ///< of these: are younger than all that came from the source
  std::uint64_t uidlists = 0;    ///< folders whose dovecot-uidlist was written there, after the one that we sent
  /// Counted by what_a_mirror_would_undo() only (undoing.h):
  std::uint64_t in_missing_folders = 0;  ///< were removed there, with their folder or the account, and would come back
  std::uint64_t control_files = 0;       ///< have other content there (subscriptions, a sieve), or were removed there
  bool indexed = false;                  ///< a mail server has written an index of the account there; the caller knows

  UsersWork& operator+=(const UsersWork& other);
  /// Anything that a mirror would undo, or whose place it would take.
  bool any() const {
    return flags + deletions + moves + only_there + uidlists + in_missing_folders + control_files > 0;
  }
};

/// Compares what the destination lists with what was acknowledged, what was on its way (`intents`) and what the source
/// has now: what differs from all of them was done there. Without a record (`known` is empty: the state was lost), a
/// deletion cannot be told from what never arrived, and is not counted; what is missing as a whole (an account, a
/// folder) is a loss and not work. `listed` and `after` are complete. Pure.
UsersWork what_users_did(const AccountManifest& listed, const AccountManifest& known,
                         const std::vector<Intent>& intents, const AccountManifest& after);

/// Whether users evidently work on that account at the destination, so that a mirror must ask before it goes on: a mail
/// server writes there (an index, a uidlist) and two messages or more were changed, moved, removed, or came; or, where
/// no such server shows, three messages have new flags. Less is a test login, whose one \Seen stops no migration; and
/// without a server, mail that is missing or has older flags is that of a disk that was restored.
bool is_evident(const UsersWork& work);

/// How many of the messages that are known to be at the destination their folders do not list there, under no flags.
/// Pure.
std::uint64_t count_missing(const AccountManifest& known, const AccountManifest& listed);

/// "3 messages with other flags, 1 message deleted there"; of what there is.
std::string describe(const UsersWork& work);

}  // namespace maildirsync::sync
