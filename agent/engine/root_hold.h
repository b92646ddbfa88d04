#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace maildirsync::agent {

/// What a walk found of a root, beside what was known of it.
struct WalkedRoot {
  enum class Directory : std::uint8_t {
    read,
    unreadable,  ///< opened, but not listed
    missing,
  };

  std::string path;
  Directory directory = Directory::read;
  std::string trouble;           ///< why it is not `read`
  std::size_t known = 0;         ///< accounts before the walk
  std::size_t found = 0;         ///< accounts that the walk found
  std::string file_system;       ///< os::file_system_of; "" when it is not known
  std::string file_system_then;  ///< when it was last healthy
  std::uint64_t inode = 0;       ///< of the directory; 0 when it is not known
  std::uint64_t inode_then = 0;  ///< when it was last healthy
};

/// Why the root waits for a person, rather than have its accounts deleted: an unmounted or emptied root must not look
/// like mail that people deleted. "" when it need not. Pure.
std::string reason_to_hold(const WalkedRoot& root);

}  // namespace maildirsync::agent
