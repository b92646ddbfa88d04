#pragma once

#include <cstdint>

namespace maildirsync::daemon {

/// The modes that files and directories are given here, of 07777 at the source. A file of a mailbox is never
/// run, so it gets neither set-ID bit: with them, whoever says what a file holds and whose it is would also say what
/// runs as whom. A directory keeps set-group-ID, which shared folders carry; set-user-ID means nothing there.
std::uint32_t file_mode(std::uint32_t mode);
std::uint32_t directory_mode(std::uint32_t mode);

}  // namespace maildirsync::daemon
