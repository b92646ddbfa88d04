#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/sync/reconcile.h"

namespace maildirsync::sync {

/// What users and their mail server have made of an account at the destination since it was acknowledged, and what a
/// mirror would take back: counted in messages.
struct UsersWork {
  std::uint64_t flags = 0;               ///< have other flags there than acknowledged, and than at the source
  std::uint64_t added = 0;               ///< of these: with a flag that neither the record nor the source has
  std::uint64_t deletions = 0;           ///< were removed there, from a folder that is still there, and would come back
  std::uint64_t in_missing_folders = 0;  ///< are missing there with their folder or the account, and would come back
  std::uint64_t moves = 0;               ///< lie in another folder there
  std::uint64_t only_there = 0;          ///< are neither acknowledged nor at the source
  std::uint64_t arrived = 0;             ///< of these: are younger than all that came from the source
  std::uint64_t uidlists = 0;            ///< folders whose UIDs a mail server has given there, after ours
  std::uint64_t written = 0;  ///< control files that users write (subscriptions, a sieve), written there after ours
  /// Control files that have other content there, or were removed there. Counted by what_a_mirror_would_undo() only
  /// (undoing.h).
  std::uint64_t control_files = 0;
  bool indexed = false;  ///< a mail server has written an index of the account there; the caller knows

  UsersWork& operator+=(const UsersWork& other);
  /// Anything that a mirror would undo, or whose place it would take.
  bool any() const {
    return flags + deletions + moves + only_there + uidlists + in_missing_folders + written + control_files > 0;
  }
};

/// Compares what the destination lists with what was acknowledged, what was on its way (`intents`) and what the source
/// has now: what differs from all of them was done there. What is missing may as well have been lost: is_evident()
/// judges that by everything else. Without a record (`known` is empty: the state was lost) only what came to the source
/// before had_until() counts as missing. `listed` and `after` are complete. Pure.
UsersWork what_users_did(const AccountManifest& listed, const AccountManifest& known,
                         const std::vector<Intent>& intents, const AccountManifest& after);

/// What speaks for users at the destination, beside the account itself.
struct Surroundings {
  bool users_in_root = false;  ///< they evidently work on other accounts of its root
  bool has_record = true;      ///< it is known what was acknowledged of the account
};

/// Whether users evidently work on that account at the destination, so that a mirror must ask before it goes on:
///
/// - a mail server writes there (an index, UIDs), and two messages or more were changed, moved or removed, are missing
///   with their folder, or came; or a file that users write (subscriptions, a sieve) was written there;
/// - no such server shows, and three messages have new flags, or two such files were written;
/// - users evidently work on other accounts of the root, and anything differs in this one, or is missing.
///
/// Less is a test login, whose one \Seen stops no migration; and without any of these signs, mail that is missing or
/// has older flags, or a folder or an account that went as a whole, is that of a disk that was restored or cleared.
/// Pure.
bool is_evident(const UsersWork& work, const Surroundings& around = {});

/// When the youngest message came that both have (ns since the epoch, 0: none): as far as nothing was lost, all that
/// came to the source before had been given. Pure.
std::int64_t had_until(const AccountManifest& listed, const AccountManifest& after);

/// How many of the messages that are known to be at the destination their folders do not list there, under no flags.
/// Pure.
std::uint64_t count_missing(const AccountManifest& known, const AccountManifest& listed);

/// "3 messages with other flags, 1 message deleted there"; of what there is.
std::string describe(const UsersWork& work);

}  // namespace maildirsync::sync
