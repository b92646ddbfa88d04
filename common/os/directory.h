#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// One name of a directory, as getdents64(2) gives it.
struct DirectoryEntry {
  std::string name;
  std::uint64_t inode = 0;
  unsigned char type = 0;  ///< DT_REG, DT_DIR, …; DT_UNKNOWN where the file system does not tell
};

/// A directory descriptor beneath which everything is opened: no path given here can leave it, follow a symbolic link
/// or a magic link (open_beneath.h). Paths are relative, "" means the directory itself. Usable from several threads;
/// owns its descriptor.
class Directory {
 public:
  Directory() = default;
  explicit Directory(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  /// Opens a path as the administrator wrote it: symbolic links in it are followed.
  static Result<Directory> open_root(const std::string& path);

  /// Opens a directory beneath (O_DIRECTORY|O_RDONLY).
  Result<Directory> open_directory(const std::string& relative) const;
  /// Opens beneath with the given open(2) flags (O_CLOEXEC is added).
  Result<Fd> open(const std::string& relative, int flags, mode_t mode = 0) const;
  /// Opens a file to read, without touching its access time where the owner or a capability allows that.
  Result<Fd> open_for_reading(const std::string& relative) const;

  /// fstatat(2) of a single name, not following a link; "" is the directory itself.
  Result<struct stat> status(const std::string& name) const;
  /// All names but "." and "..", unsorted. Memory is proportional to the directory.
  Result<std::vector<DirectoryEntry>> list() const;

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  /// For messages only; never opened.
  const std::string& path() const { return path_; }

 private:
  Fd fd_;
  std::string path_;
};

/// a/b, or whichever is not empty.
std::string join(std::string_view left, std::string_view right);

/// Whether a path from outside is relative and confined by its text: no empty, "." or ".." component, no NUL, no
/// component over 255 bytes. "" is confined: the directory itself.
bool is_confined(std::string_view path);

/// stat times in nanoseconds since the epoch; those beyond the years 1677 and 2262 become the first or the last.
std::int64_t nanoseconds(const struct timespec& time);
struct timespec to_timespec(std::int64_t nanoseconds);

/// Reads up to `limit` bytes from offset 0; too_big when there is more.
Result<std::string> read_all(int fd, std::size_t limit, const std::string& path_for_messages);
/// Reads a whole file by an ordinary path (configuration, certificates).
Result<std::string> read_file(const std::string& path, std::size_t limit);
/// Writes everything or says why not.
Result<> write_all(int fd, std::string_view bytes, const std::string& path_for_messages);

}  // namespace maildirsync::os
