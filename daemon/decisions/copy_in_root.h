#pragma once

#include <string>

#include "common/decisions/decision.h"

namespace maildirsync::daemon {

// The copy of what was decided of a root, which lies in the root itself (`.maildirsync.decisions`): not mail, and left
// out of all that is mirrored, listed and compared. All of it blocks on files.

/// An empty book where there is none, or it cannot be read: the root may not be mounted.
decisions::Book read_copy(const std::string& place);

/// Whether the copy must be written: a root that was never anything but mirrored begins as it did, should all be lost.
bool is_worth_a_copy(const decisions::Chain& chain);

/// Whether the root is there, and not a mount point whose file system is away: it has our marker.
bool is_the_root(const std::string& place);

/// Writes it, where it differs. What fails is in the log only: the receiver's own file has it.
void write_copy(const std::string& place, const decisions::Book& copy);

}  // namespace maildirsync::daemon
