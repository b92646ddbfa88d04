#include "common/os/own_file.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace maildirsync::os {

bool is_own(const struct stat& status) {
  return status.st_uid == ::geteuid() || status.st_uid == 0;
}

Result<Fd> open_own(const Directory& directory, const std::string& name, int flags) {
  MAILDIRSYNC_ASSIGN(auto fd, directory.open(name, flags | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  const std::string path = join(directory.path(), name);
  if (::fstat(fd.get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || !is_own(status)) {
    return failure(ErrorCode::permission, path,
                   "somebody else put it there (user " + std::to_string(status.st_uid) + "); it is not believed");
  }
  return fd;
}

Result<Fd> create_own(const Directory& directory, const std::string& name, int flags) {
  if (::unlinkat(directory.fd(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return os_failure(join(directory.path(), name), "cannot be replaced", errno);
  }
  return directory.open(name, flags | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

}  // namespace maildirsync::os
