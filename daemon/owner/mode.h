#pragma once

#include <cstdint>

namespace maildirsync::daemon {

/// Whether this process may set the set-group-ID bit of any file (CAP_FSETID). The unit does not give it: a directory
/// gets the bit without it, and mail is not run.
bool may_set_any_group_id_bit();

/// The mode, of 07777, that a file can be given in the place of the one it has at the source. Without CAP_FSETID,
/// chown(2) takes the set-group-ID bit from a file that its group may execute, and chmod(2) refuses to set it again,
/// without an error; and that bit can't be kept where the set-user-ID bit is set too. Directories keep all bits.
std::uint32_t attainable_file_mode(std::uint32_t mode, bool may_set_any_group_id_bit);

}  // namespace maildirsync::daemon
