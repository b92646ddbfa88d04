#include "daemon/session/space.h"

#include <cerrno>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/os/path.h"
#include "common/wire/convert.h"
#include "daemon/apply/kept_times.h"
#include "daemon/apply/room.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_day = 10;  // of a trash's name: "2026-11-28.1"

}  // namespace

void tell_space(const os::Directory* directory, const std::optional<Error>& error, wire::MappedOwners::Space& out) {
  const auto fail = [&](const Error& why) {
    out.set_error(static_cast<std::uint32_t>(why.code));
    out.set_detail(why.message());
  };
  if (directory == nullptr) return fail(error.value_or(Error{}));
  struct statvfs space {};
  struct stat status {};
  if (::fstatvfs(directory->fd(), &space) != 0 || ::fstat(directory->fd(), &status) != 0) {
    return fail(os_error(directory->path(), "cannot ask for the free space", errno));
  }
  out.set_file_system(status.st_dev);
  out.set_total_bytes(std::uint64_t{space.f_blocks} * space.f_frsize);
  out.set_free_bytes(std::uint64_t{space.f_bavail} * space.f_frsize);
  out.set_total_inodes(space.f_files);
  out.set_free_inodes(space.f_favail);
  out.set_longest_name(space.f_namemax);
  wire::to_wire(kept_times(*directory), *out.mutable_times());
}

void tell_trash(const TrashUse& use, unsigned days, wire::MappedOwners::Space& out) {
  auto& trash = *out.mutable_trash();
  trash.set_days(days);
  trash.set_files(use.files);
  trash.set_bytes(use.bytes);
  trash.set_oldest(use.oldest.substr(0, k_day));
}

Result<> try_room_of(const os::Directory& root, const std::string& account, std::uint64_t bytes, const OwnerId& owner,
                     wire::MappedOwners::Room& out) {
  std::string path = account;
  auto directory = root.open_directory(path);
  while (!directory && !path.empty()) {
    path = os::above(path);
    directory = root.open_directory(path);
  }
  if (!directory) return Failure(directory.error());
  struct statvfs space {};
  if (::fstatvfs(directory->fd(), &space) == 0) {
    out.set_free_bytes(std::uint64_t{space.f_bavail} * space.f_frsize);
    out.set_free_inodes(space.f_favail);
    out.set_counts_inodes(space.f_files != 0);
  }
  return try_room(*directory, bytes, owner);
}

}  // namespace maildirsync::daemon
