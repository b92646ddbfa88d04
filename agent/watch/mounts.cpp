#include "agent/watch/mounts.h"

#include <algorithm>
#include <iterator>

#include <fcntl.h>

#include "common/os/directory.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_limit = 64 * 1024 * 1024;
constexpr int k_fields = 5;  // id, parent's id, device, root in it, mount point; then options, which may change

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

/// The first fields of a line.
std::string_view identity_of(std::string_view line) {
  std::size_t end = 0;
  for (int i = 0; i < k_fields && end != std::string_view::npos; ++i)
    end = line.find(' ', end + (i == 0 ? 0 : 1));
  return line.substr(0, end);
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

Mounts::Mounts() : fd_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {
  changed();
}

std::vector<std::string> Mounts::changed() {
  const auto text = os::read_all(fd_.get(), k_limit, "/proc/self/mountinfo");
  if (!text) return {};
  std::set<std::string> now;
  for (std::size_t start = 0; start < text->size();) {
    const std::size_t end = std::min(text->find('\n', start), text->size());
    now.emplace(identity_of(std::string_view(*text).substr(start, end - start)));
    start = end + 1;
  }
  std::vector<std::string> different;
  std::set_symmetric_difference(now.begin(), now.end(), mounts_.begin(), mounts_.end(), std::back_inserter(different));
  mounts_ = std::move(now);
  std::set<std::string> points;
  for (const auto& line : different)
    points.insert(mount_point_of(line));
  return {points.begin(), points.end()};
}

bool decides(std::string_view mount_point, std::string_view path) {
  return is_at_or_below(path, mount_point) || is_at_or_below(mount_point, path);
}

std::string mount_point_of(std::string_view line) {
  const std::string_view identity = identity_of(line);
  const std::size_t before = identity.rfind(' ');
  if (before == std::string_view::npos) return "";
  const std::string_view escaped = identity.substr(before + 1);
  std::string point;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '\\' && i + 3 < escaped.size() && is_octal(escaped[i + 1]) && is_octal(escaped[i + 2]) &&
        is_octal(escaped[i + 3])) {
      point += static_cast<char>((escaped[i + 1] - '0') * 64 + (escaped[i + 2] - '0') * 8 + (escaped[i + 3] - '0'));
      i += 3;
    } else {
      point += escaped[i];
    }
  }
  return point;
}

}  // namespace maildirsync::agent
