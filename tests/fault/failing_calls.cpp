// Preloaded into a receiver (LD_PRELOAD): while the file $MAILDIRSYNC_FAILING_CALLS exists, the calls that give and
// take names, owners and modes, and those that sync, fail, 30 in 100 of them. Half of those have done their work all
// the same, as it happens on a file system that runs full or loses its disk in the middle of it.

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <random>

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr unsigned k_percent = 30;

enum class Fate { passes, fails, fails_when_done };

Fate draw() {
  const int saved = errno;
  struct stat status {};
  const char* path = std::getenv("MAILDIRSYNC_FAILING_CALLS");
  const bool is_on = path != nullptr && ::stat(path, &status) == 0;
  errno = saved;
  if (!is_on) return Fate::passes;
  thread_local std::minstd_rand random(std::random_device{}());
  if (random() % 100 >= k_percent) return Fate::passes;
  return random() % 2 == 0 ? Fate::fails : Fate::fails_when_done;
}

/// The next function of that name, called as the fate has it.
template <class... Arguments>
int call(const char* name, int error, Arguments... arguments) {
  const Fate fate = draw();
  if (fate != Fate::fails) {
    const auto real = reinterpret_cast<int (*)(Arguments...)>(::dlsym(RTLD_NEXT, name));
    const int done = real(arguments...);
    if (fate == Fate::passes || done != 0) return done;
  }
  errno = error;
  return -1;
}

}  // namespace

extern "C" {

int mkdirat(int directory, const char* name, mode_t mode) noexcept {
  return call("mkdirat", ENOSPC, directory, name, mode);
}
int linkat(int from, const char* old, int to, const char* name, int flags) noexcept {
  return call("linkat", ENOSPC, from, old, to, name, flags);
}
int symlinkat(const char* target, int directory, const char* name) noexcept {
  return call("symlinkat", ENOSPC, target, directory, name);
}
int renameat(int from, const char* old, int to, const char* name) noexcept {
  return call("renameat", EIO, from, old, to, name);
}
int renameat2(int from, const char* old, int to, const char* name, unsigned flags) noexcept {
  return call("renameat2", EIO, from, old, to, name, flags);
}
int unlinkat(int directory, const char* name, int flags) noexcept {
  return call("unlinkat", EIO, directory, name, flags);
}
int fchownat(int directory, const char* name, uid_t user, gid_t group, int flags) noexcept {
  return call("fchownat", EIO, directory, name, user, group, flags);
}
int fchown(int fd, uid_t user, gid_t group) noexcept {
  return call("fchown", EIO, fd, user, group);
}
int fchmod(int fd, mode_t mode) noexcept {
  return call("fchmod", EIO, fd, mode);
}
int fsync(int fd) {
  return call("fsync", EIO, fd);
}
int fdatasync(int fd) {
  return call("fdatasync", EIO, fd);
}
int syncfs(int fd) noexcept {
  return call("syncfs", EIO, fd);
}

}  // extern "C"
