#include "common/os/open_beneath.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/os/fd.h"

namespace maildirsync::os {

namespace {

int open_by_kernel(int directory, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  // openat2(2) takes no mode that means nothing. O_TMPFILE has the bit of O_DIRECTORY in it.
  how.mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
    // EAGAIN: a rename elsewhere raced with the check that the path stays beneath; openat2(2) says to try again.
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
}

int refused(int error_number) {
  errno = error_number;
  return -1;
}

bool is_link(int directory, const char* name) {
  struct stat status {};
  return ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

int open_one(int directory, const char* name, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

/// A directory on the way. O_DIRECTORY makes of a link ENOTDIR, which openat2(2) calls ELOOP.
int step_into(int directory, const char* name) {
  const int fd = open_one(directory, name, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 && errno == ENOTDIR && is_link(directory, name)) return refused(ELOOP);
  return fd;
}

/// The last name, where openat2(2) tells of a link only when the caller did not say O_NOFOLLOW.
int open_last(int directory, const char* name, int flags, mode_t mode) {
  const int fd = open_one(directory, name, flags, mode);
  if ((flags & O_NOFOLLOW) != 0) return fd;
  if (fd < 0) return errno == ENOTDIR && is_link(directory, name) ? refused(ELOOP) : -1;
  struct stat status {};
  if ((flags & O_PATH) == 0 || ::fstat(fd, &status) != 0 || !S_ISLNK(status.st_mode)) return fd;
  ::close(fd);
  return refused(ELOOP);
}

/// Each name is looked up in a directory that is held open, and is opened without following it: whatever is renamed or
/// replaced meanwhile, a step leads to a child of the directory before it, or fails. Since ".." is refused by its text,
/// nothing leads upwards, and so nothing has to be checked afterwards.
int open_by_walk(int directory, std::string_view path, int flags, mode_t mode) {
  if (path.empty()) return refused(ENOENT);
  if (path.front() == '/') return refused(EXDEV);
  Fd held;
  int at = directory;
  std::string name = ".";
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view component = path.substr(start, end - start);
    start = end + 1;
    if (component.empty()) continue;
    if (component == "..") return refused(EXDEV);
    if (name != ".") {
      Fd next(step_into(at, name.c_str()));
      if (!next) return -1;
      held = std::move(next);
      at = held.get();
    }
    name = component;
  }
  if (path.back() == '/') {
    const bool makes_file = (flags & O_CREAT) != 0;
    if (makes_file && name != ".") return refused(EISDIR);
    // path_resolution(7): a slash at the end asks for what a link leads to.
    if (!makes_file) flags = (flags | O_DIRECTORY) & ~O_NOFOLLOW;
  }
  return open_last(at, name.c_str(), flags, mode);
}

}  // namespace

const char* to_string(Confinement confinement) {
  return confinement == Confinement::by_kernel ? "openat2" : "walk";
}

Confinement confinement() {
  // Missing is ENOSYS; a container's filter says EPERM.
  static const Confinement way = [] {
    const Fd probe(open_by_kernel(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
    return probe || (errno != ENOSYS && errno != EPERM) ? Confinement::by_kernel : Confinement::by_walk;
  }();
  return way;
}

Result<> check_confinement() {
  const Fd root(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return os_failure("/", "cannot open the root directory", errno);
  const Fd probe(open_beneath(confinement(), root.get(), "proc/.", O_PATH | O_DIRECTORY, 0));
  if (probe || errno == ENOENT) return {};
  return os_failure("/", "the kernel has neither openat2(2) nor O_PATH, one of which confines every path", errno);
}

int open_beneath(Confinement confinement, int directory, const char* path, int flags, mode_t mode) {
  if (confinement == Confinement::by_kernel) return open_by_kernel(directory, path, flags | O_CLOEXEC, mode);
  return open_by_walk(directory, path, flags | O_CLOEXEC, mode);
}

}  // namespace maildirsync::os
