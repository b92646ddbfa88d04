#include "common/os/way_to_write.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

namespace maildirsync::os {

namespace {

// Those that <linux/magic.h> lacks.
constexpr std::int64_t k_zfs = 0x2fc12fc1;
constexpr std::int64_t k_cifs = 0xff534d42;
constexpr std::int64_t k_bcachefs = 0xca451a4e;

/// From this one on an unnamed file that was synced and then linked is whole on Btrfs. On 6.1 it is empty until the
/// next commit: its sync left nothing in the log, for a file without a name is nothing that a log could bring back, and
/// its directory's sync logs the name, but not the body.
constexpr Kernel k_btrfs_logs_linked_files{6, 18};

constexpr std::array<std::pair<std::int64_t, const char*>, 15> k_names{{
    {EXT4_SUPER_MAGIC, "ext4"},
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {NFS_SUPER_MAGIC, "nfs"},
    {FUSE_SUPER_MAGIC, "fuse"},
    {CEPH_SUPER_MAGIC, "ceph"},
    {REISERFS_SUPER_MAGIC, "reiserfs"},
    {V9FS_MAGIC, "9p"},
    {k_zfs, "zfs"},
    {k_cifs, "cifs"},
    {k_bcachefs, "bcachefs"},
}};

Kernel running_kernel() {
  static const Kernel kernel = [] {
    utsname names{};
    return ::uname(&names) == 0 ? parse_kernel(names.release) : Kernel{};
  }();
  return kernel;
}

std::optional<WayToWrite> forced_way() {
  static const auto forced = []() -> std::optional<WayToWrite> {
    const char* wanted = std::getenv("MAILDIRSYNC_WAY_TO_WRITE");
    for (const auto way : {WayToWrite::unnamed, WayToWrite::relinked, WayToWrite::named, WayToWrite::careful}) {
      if (wanted != nullptr && std::string_view(wanted) == name_of(way)) return way;
    }
    return std::nullopt;
  }();
  return forced;
}

}  // namespace

const char* name_of(WayToWrite way) {
  switch (way) {
    case WayToWrite::unnamed:
      return "unnamed";
    case WayToWrite::relinked:
      return "relinked";
    case WayToWrite::named:
      return "named";
    case WayToWrite::careful:
      break;
  }
  return "careful";
}

Kernel parse_kernel(std::string_view release) {
  Kernel kernel;
  const char* const end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, kernel.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return {};
  const auto minor = std::from_chars(major.ptr + 1, end, kernel.minor);
  return minor.ec == std::errc() ? kernel : Kernel{};
}

WayToWrite way_to_write(std::int64_t file_system_type, Kernel kernel) {
  switch (file_system_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case TMPFS_MAGIC:  // keeps nothing, whatever the way
      return WayToWrite::unnamed;
    case BTRFS_SUPER_MAGIC:
      return kernel < k_btrfs_logs_linked_files ? WayToWrite::named : WayToWrite::unnamed;
    default:
      return WayToWrite::careful;
  }
}

std::string name_of_file_system(std::int64_t file_system_type) {
  const auto* const found =
      std::find_if(k_names.begin(), k_names.end(), [&](const auto& named) { return named.first == file_system_type; });
  return found != k_names.end() ? found->second : fmt::format("{:#x}", file_system_type);
}

std::string Ground::text() const {
  return fmt::format("{} on Linux {}.{}: written in the way \"{}\"", file_system, kernel.major, kernel.minor,
                     name_of(way));
}

Result<Ground> ground_of(int fd) {
  struct statfs status {};
  if (::fstatfs(fd, &status) != 0) return os_failure("", "cannot tell the file system", errno);
  // f_type is signed and may be narrower than the number.
  const auto type = static_cast<std::int64_t>(static_cast<std::uint32_t>(status.f_type));
  const Kernel kernel = running_kernel();
  return Ground{name_of_file_system(type), kernel, forced_way().value_or(way_to_write(type, kernel))};
}

}  // namespace maildirsync::os
