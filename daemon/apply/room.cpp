#include "daemon/apply/room.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/apply/aside.h"

namespace maildirsync::daemon {

namespace {

/// More is only looked for in what the file system says is free: to reserve it would be work that a peer could order.
constexpr std::uint64_t k_most_tried = 256 * 1024 * 1024;

Failure no_room(const os::Directory& directory, int error_number) {
  return os_failure(directory.path(), "there is no room for the file", error_number);
}

}  // namespace

Result<> try_room(const os::Directory& directory, std::uint64_t bytes, const OwnerId& owner) {
  MAILDIRSYNC_ASSIGN(auto opened, directory.open_directory(""));
  MAILDIRSYNC_ASSIGN(const auto aside,
                     Aside::create(std::make_shared<const os::Directory>(std::move(opened)), os::WayToWrite::unnamed));
  if (::fchown(aside.fd(), owner.uid, owner.gid) != 0 && errno == EDQUOT) return no_room(directory, errno);
  struct statvfs space {};
  if (::fstatvfs(directory.fd(), &space) == 0) {
    const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
    if (free < bytes || (space.f_files != 0 && space.f_favail == 0)) return no_room(directory, ENOSPC);
  }
  if (bytes == 0) return {};
  for (;;) {
    if (::fallocate(aside.fd(), 0, 0, static_cast<off_t>(std::min(bytes, k_most_tried))) == 0) return {};
    if (errno == EINTR) continue;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) return no_room(directory, errno);
    return {};  // the file system cannot say so beforehand
  }
}

}  // namespace maildirsync::daemon
