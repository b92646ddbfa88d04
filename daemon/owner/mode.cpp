#include "daemon/owner/mode.h"

#include <sys/stat.h>

namespace maildirsync::daemon {

std::uint32_t file_mode(std::uint32_t mode) {
  return mode & 07777U & ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
}

std::uint32_t directory_mode(std::uint32_t mode) {
  return mode & 07777U & ~static_cast<std::uint32_t>(S_ISUID);
}

}  // namespace maildirsync::daemon
