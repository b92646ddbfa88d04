#include "common/os/mount_point.h"

#include <array>
#include <climits>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/file_system.h"

namespace maildirsync::os {

namespace {

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

/// FNV-1a: the same in every build.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char character : text) {
    hash ^= static_cast<unsigned char>(character);
    hash *= 1099511628211U;
  }
  return hash;
}

constexpr std::size_t k_longest_mountinfo = 64 * 1024 * 1024;
constexpr int k_mount_point = 4;  // id, parent's id, device, root in it, mount point

bool is_octal(char digit) {
  return digit >= '0' && digit <= '7';
}

/// proc(5): blanks and the like are written as \\ooo.
std::string unescaped(std::string_view escaped) {
  std::string text;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    const bool is_escape = escaped[i] == '\\' && i + 3 < escaped.size() && is_octal(escaped[i + 1]) &&
                           is_octal(escaped[i + 2]) && is_octal(escaped[i + 3]);
    if (is_escape) {
      text += static_cast<char>((escaped[i + 1] - '0') * 64 + (escaped[i + 2] - '0') * 8 + (escaped[i + 3] - '0'));
      i += 3;
    } else {
      text += escaped[i];
    }
  }
  return text;
}

std::string mount_point_of(std::string_view line) {
  for (int i = 0; i < k_mount_point; ++i) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) return "";
    line.remove_prefix(blank + 1);
  }
  return unescaped(line.substr(0, line.find(' ')));
}

}  // namespace

std::uint64_t mount_of(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0) return 0;
  if ((status.stx_mask & STATX_MNT_ID) != 0) return status.stx_mnt_id;
  return std::uint64_t{status.stx_dev_major} << 32 | status.stx_dev_minor;
}

std::uint64_t mounted_at(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return 1;
  return hash_of(file_system_of(fd) + '/' + std::to_string(status.st_ino)) >> 1 | 1;  // positive: SQLite's are signed
}

std::uint64_t mounted_at(int fd, std::uint64_t mount_above) {
  const auto mount = mount_of(fd);
  return mount == 0 || mount_above == 0 || mount == mount_above ? 0 : mounted_at(fd);
}

std::vector<std::string> mount_points_below(std::string_view path, std::string_view mountinfo) {
  const std::string above = path == "/" ? "/" : std::string(path) + "/";
  std::vector<std::string> points;
  while (!mountinfo.empty()) {
    const auto line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(line.size() < mountinfo.size() ? line.size() + 1 : line.size());
    const std::string point = mount_point_of(line);
    if (point.starts_with(above) && point.size() > above.size()) points.push_back(point.substr(above.size()));
  }
  return points;
}

std::vector<std::string> mount_points_below(int directory) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  const auto mountinfo = read_file("/proc/self/mountinfo", k_longest_mountinfo);
  if (length <= 0 || !mountinfo) return {};
  return mount_points_below(std::string_view(path.data(), static_cast<std::size_t>(length)), *mountinfo);
}

}  // namespace maildirsync::os
