#include "daemon/apply/content.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "common/codec/digest.h"
#include "common/maildir/name.h"
#include "daemon/apply/kept_times.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_compared = 128 * 1024;  // bytes at once

}  // namespace

Result<std::optional<struct stat>> look(const os::Directory& directory, const std::string& name) {
  auto status = directory.status(name);
  if (status) return std::optional(*status);
  if (status.error().code == ErrorCode::vanished) return std::nullopt;
  return Failure(status.error());
}

Result<bool> has_content(const os::Directory& directory, const std::string& name, const struct stat& status,
                         std::uint64_t size, const sync::Digest& digest) {
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != size) return false;
  auto fd = directory.open_for_reading(name);
  if (!fd) return fd.error().code == ErrorCode::vanished ? Result<bool>(false) : Failure(fd.error());
  MAILDIRSYNC_ASSIGN(auto found, codec::digest_of(fd->get(), os::join(directory.path(), name)));
  return found == digest;
}

Result<bool> is_beginning(const os::Directory& directory, const std::string& name, const struct stat& status,
                          int whole) {
  struct stat wanted {};
  if (::fstat(whole, &wanted) != 0) return os_failure(directory.path(), "cannot stat", errno);
  if (!S_ISREG(status.st_mode) || status.st_size >= wanted.st_size) return false;
  if (status.st_size == 0) return true;
  auto fd = directory.open_for_reading(name);
  if (!fd) return fd.error().code == ErrorCode::vanished ? Result<bool>(false) : Failure(fd.error());
  std::vector<char> there(k_compared), ours(k_compared);
  for (off_t offset = 0; offset < status.st_size;) {
    const auto size = static_cast<std::size_t>(std::min<off_t>(k_compared, status.st_size - offset));
    const ssize_t got = ::pread(fd->get(), there.data(), size, offset);
    if (got < 0) return os_failure(os::join(directory.path(), name), "cannot read", errno);
    if (got == 0) return false;  // it shrank at this moment
    const auto end = there.begin() + got;
    if (::pread(whole, ours.data(), static_cast<std::size_t>(got), offset) != got) {
      return os_failure(directory.path(), "cannot read what was written aside", errno);
    }
    if (!std::equal(there.begin(), end, ours.begin())) return false;
    offset += got;
  }
  return true;
}

bool has_target(const os::Directory& directory, const std::string& name, const struct stat& status,
                const std::string& target) {
  if (!S_ISLNK(status.st_mode)) return false;
  std::array<char, 4097> buffer{};
  const ssize_t size = ::readlinkat(directory.fd(), name.c_str(), buffer.data(), buffer.size());
  return size >= 0 && std::string_view(buffer.data(), static_cast<std::size_t>(size)) == target;
}

bool has_time(const os::Directory& directory, const struct stat& status, std::int64_t given) {
  const auto shown = os::nanoseconds(status.st_mtim);
  return shown == given || shown == kept_times(directory).kept(given);
}

Result<bool> is_expected(const os::Directory& directory, const std::string& name, const struct stat& status,
                         const sync::Entry& expected) {
  if (expected.kind == sync::EntryKind::symlink) return has_target(directory, name, status, expected.target.text());
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != expected.size) return false;
  if (has_time(directory, status, expected.mtime)) return true;
  if (!expected.digest) return false;
  return has_content(directory, name, status, expected.size, *expected.digest);
}

std::string name_of_conflict(const std::string& name, const sync::Digest& digest) {
  const auto base = maildir::base_of(name);
  const auto end = std::min(base.find(','), base.size());
  return name.substr(0, end) + ".c" + codec::to_hex(digest).substr(0, 8) + name.substr(end);
}

}  // namespace maildirsync::daemon
