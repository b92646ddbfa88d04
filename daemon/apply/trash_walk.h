#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/apply/trash.h"

// The trash of a root as a whole: what is in it, and what has been in it for long enough. Nothing here leaves the
// trash: each directory is opened by its single name beneath the one above, and no link is followed. Blocks on files;
// away from the event loop.

namespace maildirsync::daemon {

/// What an account has in the trash of one day.
struct TrashedAccount {
  std::string date;  ///< the directory's name: "2026-11-28", "2026-11-28.1"
  std::string path;  ///< of the account, below the root
  TrashLabel label;
  std::uint64_t messages = 0, bytes = 0;
  std::uint64_t files = 0;  ///< that are not messages
};

/// The accounts in the trash, the newest first; of those that `is_wanted` (asked without the counts) wants.
Result<std::vector<TrashedAccount>> accounts_in_trash(const os::Directory& root,
                                                      const std::function<bool(const TrashedAccount&)>& is_wanted);

struct TrashUse {
  std::uint64_t files = 0, bytes = 0;
  std::string oldest;         ///< date; "" when the trash is empty
  std::uint64_t expired = 0;  ///< files that were unlinked
};

/// Unlinks what was put into the trash more than `days` whole days ago, and counts the rest. Gives up early once
/// `stop` is set.
TrashUse tend_trash(const os::Directory& root, unsigned days, const std::atomic<bool>& stop);

/// Whether a file in the trash is a note of ours rather than something that was deleted.
bool is_trash_note(std::string_view name);

/// Removes what of an account's directories in the trash holds nothing but notes, and the empty ones above.
void tidy_trash(const os::Directory& root, const std::string& date, const std::string& account);

}  // namespace maildirsync::daemon
