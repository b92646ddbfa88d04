#include "common/os/file_system.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "common/os/hex.h"

namespace maildirsync::os {

namespace {

constexpr std::size_t k_uuid_size = 16;

// <linux/fs.h> of Linux 6.9 and later.
struct FileSystemUuid {
  std::uint8_t length;
  std::uint8_t uuid[k_uuid_size];
};
constexpr unsigned long k_get_uuid = _IOR(0x15, 0, FileSystemUuid);

// <xfs/xfs_fs.h>: what statfs(2) says of XFS is its device's number.
struct XfsGeometry {
  std::uint32_t sizes[8];
  std::uint64_t blocks[4];
  std::uint8_t uuid[k_uuid_size];
  std::uint32_t rest[7];
};
constexpr unsigned long k_xfs_geometry = _IOR('X', 100, XfsGeometry);

enum Magic : std::uint32_t {
  k_ext = 0xEF53,
  k_btrfs = 0x9123683E,
  k_xfs = 0x58465342,
  k_f2fs = 0xF2F52010,
  k_zfs = 0x2FC12FC1,
  k_bcachefs = 0xCA451A4E,
  k_tmpfs = 0x01021994,
};

bool has_lasting_id(std::uint32_t magic) {
  switch (magic) {
    case k_ext:
    case k_btrfs:
    case k_f2fs:
    case k_zfs:
    case k_bcachefs:
    case k_tmpfs:
      return true;
    default:
      return false;
  }
}

/// "" for one that is all zeros: none was given.
std::string name_of(const char* kind, std::span<const std::uint8_t> bytes) {
  const bool is_set = std::any_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte != 0; });
  return is_set ? kind + to_hex(bytes) : "";
}

}  // namespace

std::string file_system_of(int fd) {
  struct statfs status {};
  if (::fstatfs(fd, &status) != 0) return "";
  const auto magic = static_cast<std::uint32_t>(status.f_type);
  FileSystemUuid uuid{};
  if (::ioctl(fd, k_get_uuid, &uuid) == 0 && uuid.length > 0 && uuid.length <= k_uuid_size) {
    if (auto name = name_of("uuid:", std::span(uuid.uuid, uuid.length)); !name.empty()) return name;
  }
  if (XfsGeometry geometry{}; magic == k_xfs && ::ioctl(fd, k_xfs_geometry, &geometry) == 0)
    return name_of("uuid:", geometry.uuid);
  if (!has_lasting_id(magic)) return "";
  std::array<std::uint8_t, sizeof status.f_fsid> id{};
  std::memcpy(id.data(), &status.f_fsid, id.size());
  return name_of("fsid:", id);
}

bool is_another_file_system(std::string_view before, std::string_view now) {
  const bool is_told_otherwise = before.starts_with("fsid:") && now.starts_with("uuid:");
  return !before.empty() && before != now && !is_told_otherwise;
}

}  // namespace maildirsync::os
