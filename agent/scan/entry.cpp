#include "agent/scan/entry.h"

#include <cerrno>
#include <utility>

#include <dirent.h>
#include <fcntl.h>

#include "common/maildir/name.h"
#include "common/os/acl.h"

namespace maildirsync::agent {

sync::Attributes attributes_of(const os::Directory& directory, const std::string& name, const struct stat& status,
                               std::size_t& acls) {
  const auto plain = os::mode_without_acl_of(directory.fd(), name, status.st_mode & 07777U);
  acls += plain.had_acl ? 1 : 0;
  return {plain.mode, status.st_uid, status.st_gid};
}

bool has_directory(const os::Directory& directory, const std::string& path) {
  struct stat status {};
  return ::fstatat(directory.fd(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

bool is_directory(const os::Directory& directory, const os::DirectoryEntry& entry) {
  if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
  const auto status = directory.status(entry.name);
  return status && S_ISDIR(status->st_mode);
}

Result<std::string> mailbox_in(const os::Directory& above, const std::string& name, int depth) {
  if (has_directory(above, os::join(name, "cur"))) return name;
  const auto directory = above.open_directory(name);
  const auto entries =
      directory ? directory->list() : Result<std::vector<os::DirectoryEntry>>(Failure(directory.error()));
  if (!entries) {
    if (entries.error().code == ErrorCode::vanished) return std::string();
    return Failure(entries.error());
  }
  for (const auto& entry : *entries) {
    if (depth >= k_max_depth || !is_directory(*directory, entry)) continue;
    auto found = mailbox_in(*directory, entry.name, depth + 1);
    if (!found || !found->empty()) return found ? os::join(name, *found) : found;
  }
  return std::string();
}

ScanProblem reserved_name(std::string path) {
  return {ErrorCode::mail_left_out, std::move(path),
          "its name begins as those of the files that maildirsync makes for itself (" +
              std::string(maildir::k_aside_prefix) +
              "): neither it nor what is in it is mirrored. Rename it at the source"};
}

Target leads_to(const os::Directory& directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory.fd(), name.c_str(), &status, 0) != 0) {
    // What we may not look at may be anything.
    return errno == EACCES || errno == EPERM ? Target::directory : Target::nothing;
  }
  return S_ISDIR(status.st_mode) ? Target::directory : S_ISREG(status.st_mode) ? Target::file : Target::other;
}

}  // namespace maildirsync::agent
