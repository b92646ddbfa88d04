#include "common/os/directory.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "common/os/open_beneath.h"

namespace maildirsync::os {

namespace {

constexpr std::int64_t k_second = 1'000'000'000;

struct LinuxDirent {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  unsigned char type;
  char name[1];
};

}  // namespace

Result<Directory> Directory::open_root(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return os_failure(path, "cannot open the directory", errno);
  return Directory(std::move(fd), path);
}

Result<Directory> Directory::open_directory(const std::string& relative) const {
  MAILDIRSYNC_ASSIGN(auto fd, open(relative, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return Directory(std::move(fd), join(path_, relative));
}

Result<Fd> Directory::open(const std::string& relative, int flags, mode_t mode) const {
  Fd fd(open_beneath(confinement(), fd_.get(), relative.empty() ? "." : relative.c_str(), flags, mode));
  if (!fd) return os_failure(join(path_, relative), "cannot open", errno);
  return fd;
}

Result<Fd> Directory::open_for_reading(const std::string& relative) const {
  // O_NONBLOCK: a fifo that took the place of a file must not block us.
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  Fd fd(open_beneath(confinement(), fd_.get(), relative.c_str(), flags | O_NOATIME, 0));
  if (!fd && errno == EPERM) fd = Fd(open_beneath(confinement(), fd_.get(), relative.c_str(), flags, 0));
  if (!fd) return os_failure(join(path_, relative), "cannot open for reading", errno);
  return fd;
}

Result<struct stat> Directory::status(const std::string& name) const {
  struct stat status {};
  const int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
  if (::fstatat(fd_.get(), name.c_str(), &status, flags) != 0) {
    return os_failure(join(path_, name), "cannot stat", errno);
  }
  return status;
}

Result<std::vector<DirectoryEntry>> Directory::list() const {
  // A descriptor of its own: its offset is then nobody else's.
  MAILDIRSYNC_ASSIGN(auto fd, open("", O_RDONLY | O_DIRECTORY));
  std::vector<DirectoryEntry> entries;
  std::array<char, 32 * 1024> buffer;  // not cleared: most directories are small
  for (;;) {
    const long count = ::syscall(SYS_getdents64, fd.get(), buffer.data(), buffer.size());
    if (count < 0) return os_failure(path_, "cannot list the directory", errno);
    if (count == 0) return entries;
    for (long position = 0; position < count;) {
      const char* record = buffer.data() + position;
      LinuxDirent head{};
      std::memcpy(&head, record, offsetof(LinuxDirent, name));
      const char* name = record + offsetof(LinuxDirent, name);
      if (std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0) {
        entries.push_back({name, head.inode, head.type});
      }
      position += head.length;
    }
  }
}

std::string join(std::string_view left, std::string_view right) {
  if (left.empty()) return std::string(right);
  if (right.empty()) return std::string(left);
  std::string path;
  path.reserve(left.size() + 1 + right.size());
  path.append(left).append("/").append(right);
  return path;
}

bool is_confined(std::string_view path) {
  if (path.empty()) return true;
  if (path.size() > 4096 || path.find('\0') != std::string_view::npos) return false;
  for (std::size_t start = 0;;) {
    const std::size_t end = path.find('/', start);
    const std::string_view component = path.substr(start, end == std::string_view::npos ? end : end - start);
    if (component.empty() || component == "." || component == ".." || component.size() > 255) return false;
    if (end == std::string_view::npos) return true;
    start = end + 1;
  }
}

std::int64_t nanoseconds(const struct timespec& time) {
  std::int64_t sum = 0;
  // Before the epoch, the whole seconds alone may be out of range.
  const bool before = time.tv_sec < 0;
  const std::int64_t seconds = time.tv_sec + (before ? 1 : 0);
  const std::int64_t rest = time.tv_nsec - (before ? k_second : 0);
  if (__builtin_mul_overflow(seconds, k_second, &sum) || __builtin_add_overflow(sum, rest, &sum)) {
    return before ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  return sum;
}

struct timespec to_timespec(std::int64_t nanoseconds) {
  std::int64_t seconds = nanoseconds / k_second;
  std::int64_t rest = nanoseconds % k_second;
  if (rest < 0) {
    rest += k_second;
    --seconds;
  }
  return {static_cast<time_t>(seconds), static_cast<long>(rest)};
}

Result<std::string> read_all(int fd, std::size_t limit, const std::string& path_for_messages) {
  std::string bytes;
  struct stat status {};
  if (::fstat(fd, &status) == 0 && status.st_size > 0) {
    if (static_cast<std::uint64_t>(status.st_size) > limit) {
      return failure(ErrorCode::too_big, path_for_messages, "the file is over the bound");
    }
    bytes.reserve(static_cast<std::size_t>(status.st_size) + 1);
  }
  std::size_t filled = 0;
  for (;;) {
    const std::size_t room =
        bytes.capacity() > filled ? bytes.capacity() - filled : std::max<std::size_t>(filled, 4096);
    bytes.resize(filled + room);
    const ssize_t count = ::pread(fd, bytes.data() + filled, room, static_cast<off_t>(filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(path_for_messages, "cannot read", errno);
    filled += static_cast<std::size_t>(count);
    if (filled > limit) return failure(ErrorCode::too_big, path_for_messages, "the file is over the bound");
    if (count == 0) {
      bytes.resize(filled);
      return bytes;
    }
  }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os_failure(path, "cannot open", errno);
  return read_all(fd.get(), limit, path);
}

Result<> write_all(int fd, std::string_view bytes, const std::string& path_for_messages) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(path_for_messages, "cannot write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace maildirsync::os
