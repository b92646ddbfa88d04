#include "common/os/replace_file.h"

#include <cerrno>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/path.h"

namespace maildirsync::os {

namespace {

constexpr const char* k_unwritten = "it cannot be written";

std::optional<struct stat> status_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

/// Whoever may write to the directory could have put something there in which we would wait, or that they could alter.
Result<Fd> create(const std::string& path, int flags, unsigned mode) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_failure(path, k_unwritten, errno);
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | flags, mode));
  if (!fd) return os_failure(path, k_unwritten, errno);
  return fd;
}

/// The owner and mode of the one that is replaced.
Result<> make_like(const std::optional<struct stat>& old, const Fd& fd, const std::string& path) {
  if (old && ::fchown(fd.get(), old->st_uid, old->st_gid) != 0 && errno != EPERM)
    return os_failure(path, "it cannot get the owner of the old file", errno);
  if (::fchmod(fd.get(), old ? old->st_mode & 07777U : 0644U) != 0)
    return os_failure(path, "its mode cannot be set", errno);
  return {};
}

Result<> fill(const Fd& fd, std::string_view text, const std::string& path) {
  MAILDIRSYNC_TRY(write_all(fd.get(), text, path));
  if (::fsync(fd.get()) != 0) return os_failure(path, "it cannot be synced to the disk", errno);
  return {};
}

/// The new file takes the place of the old one when its making succeeded, else it goes: on a full disk it takes room.
Result<> put_in_place(Result<> made, const std::string& aside, const std::string& path) {
  if (made && std::rename(aside.c_str(), path.c_str()) != 0) made = os_failure(path, k_unwritten, errno);
  if (made) return sync_directory(directory_of(path));
  ::unlink(aside.c_str());
  return made;
}

std::string beside(const std::string& path) {
  return path + ".new";
}

Result<Fd> replace(const std::string& path, std::string_view text, int flags, unsigned mode) {
  MAILDIRSYNC_ASSIGN(auto fd, create(beside(path), flags, mode));
  MAILDIRSYNC_TRY(put_in_place(fill(fd, text, beside(path)), beside(path), path));
  return fd;
}

}  // namespace

Result<> replace_file(const std::string& path, std::string_view text, unsigned mode) {
  MAILDIRSYNC_TRY(replace(path, text, 0, mode));
  return {};
}

Result<Fd> replace_and_open(const std::string& path, std::string_view text, int flags) {
  return replace(path, text, flags, 0600);
}

Result<> replace_file_of_others(const std::string& path, std::string_view text, const CheckOfNew& check) {
  const auto old = status_of(path);
  const std::string aside = beside(path);
  MAILDIRSYNC_ASSIGN(const auto fd, create(aside, 0, 0600));
  auto made = make_like(old, fd, aside);
  if (made) made = fill(fd, text, aside);
  if (made && check) made = check(aside);
  return put_in_place(std::move(made), aside, path);
}

}  // namespace maildirsync::os
