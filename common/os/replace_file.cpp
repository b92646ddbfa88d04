#include "common/os/replace_file.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/path.h"

namespace maildirsync::os {

namespace {

Result<> write_aside(const std::string& path, std::string_view text, unsigned mode) {
  // Whoever may write to the directory could have put something there in which we would wait, or that they could alter.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_failure(path, "it cannot be written", errno);
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return os_failure(path, "it cannot be written", errno);
  MAILDIRSYNC_TRY(write_all(fd.get(), text, path));
  if (::fsync(fd.get()) != 0) return os_failure(path, "it cannot be synced to the disk", errno);
  return {};
}

}  // namespace

Result<> replace_file(const std::string& path, std::string_view text, unsigned mode) {
  const std::string aside = path + ".new";
  auto replaced = write_aside(aside, text, mode);
  if (replaced && std::rename(aside.c_str(), path.c_str()) != 0) {
    replaced = os_failure(path, "it cannot be written", errno);
  }
  if (replaced) return sync_directory(directory_of(path));
  ::unlink(aside.c_str());  // on a full disk it takes room
  return replaced;
}

}  // namespace maildirsync::os
