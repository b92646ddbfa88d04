#include "daemon/apply/folder_look.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <sys/stat.h>

#include "common/codec/digest.h"
#include "common/os/path.h"
#include "daemon/apply/account.h"

namespace maildirsync::daemon {

namespace {

/// Of a file system that keeps whole seconds, or two of them.
constexpr std::int64_t k_coarse_grain = 2'000'000'000;

/// Directories of a folder, and files that a mail server writes in place, which its directory's times do not tell of.
constexpr std::array k_looked_at{
    "cur", "new", "dovecot-uidlist", "dovecot-keywords", "maildirsize", "courierimapuiddb"};

struct Part {
  std::uint64_t inode = 0;
  std::int64_t size = 0, modified = 0, changed = 0;
};

/// A change within the same second leaves the times as they are.
bool is_racy(const struct stat& status, std::int64_t now) {
  return status.st_ctim.tv_nsec == 0 && now - os::nanoseconds(status.st_ctim) < k_coarse_grain;
}

std::int64_t now_of_files() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return os::nanoseconds(now);
}

}  // namespace

FolderLook look_of(const os::Directory& folder) {
  std::array<Part, k_looked_at.size() + 1> parts{};
  const auto now = now_of_files();
  const auto add = [&](std::size_t index, const char* name, int flags) {
    struct stat status {};
    if (::fstatat(folder.fd(), name, &status, flags) != 0) return errno == ENOENT;
    // A directory's size follows its names, and says nothing more.
    parts[index] = {status.st_ino, S_ISDIR(status.st_mode) ? 0 : status.st_size, os::nanoseconds(status.st_mtim),
                    os::nanoseconds(status.st_ctim)};
    return !is_racy(status, now);
  };
  bool is_sure = add(0, "", AT_EMPTY_PATH);
  for (std::size_t i = 0; i < k_looked_at.size(); ++i)
    is_sure &= add(i + 1, k_looked_at[i], AT_SYMLINK_NOFOLLOW);
  if (!is_sure) return k_look_unknown;
  static_assert(sizeof(Part) == 32, "no padding, which would be random");
  const auto digest = codec::digest({reinterpret_cast<const char*>(parts.data()), sizeof parts});
  FolderLook look = 0;
  std::memcpy(&look, digest.bytes.data(), sizeof look);
  return look | 2;  // neither of the two special ones
}

FolderLook look_at_folder(const os::Directory& root, const std::string& path) {
  const auto folder = root.open_directory(path);
  if (folder) return look_of(*folder);
  const bool is_absent = folder.error().code == ErrorCode::vanished || folder.error().error_number == ENOTDIR ||
                         folder.error().error_number == ELOOP;
  return is_absent ? k_look_absent : k_look_unknown;
}

std::vector<TouchedFolder> touched_folders(const sync::Operation& operation) {
  using sync::OperationKind;
  std::vector<TouchedFolder> touched;
  const auto add = [&](const std::string& path) { touched.push_back({path, path}); };
  const auto add_parent = [&](const std::string& path) {
    if (!path.empty()) add(os::above(path));
  };
  const std::string& from = operation.from.folder;
  const std::string& to = operation.to.folder;
  switch (operation.kind) {
    case OperationKind::make_folder:
      add(to);
      add_parent(to);
      break;
    case OperationKind::rename_folder:
      touched.push_back({to, from});
      add_parent(from);
      add_parent(to);
      break;
    case OperationKind::remove_folder:
      add(from);
      add_parent(from);
      break;
    case OperationKind::rename:
      add(from);
      add(to);
      break;
    case OperationKind::remove:
      add(from);
      break;
    default:
      add(to);
      break;
  }
  return touched;
}

}  // namespace maildirsync::daemon
