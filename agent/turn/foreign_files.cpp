#include "agent/turn/foreign_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/os/name_service.h"

namespace maildirsync::agent {

namespace {

constexpr auto k_nobody = static_cast<uid_t>(-1);

Failure refusal(const std::string& path, uid_t uid) {
  return failure(ErrorCode::foreign_owner, path,
                 "it is a hard link of a file of user " + std::to_string(uid) +
                     ", which its account's owner cannot read; left out. Take it away, or say owners = \"mixed\" for "
                     "its root in agent.toml");
}

}  // namespace

/// In a set-group-ID directory such as /var/mail, what a user makes has a group that they need not be in. Of a user
/// without a name only the directory tells.
bool ForeignFiles::Owner::is_in_group() {
  if (!in_group) in_group = uid == k_nobody || os::is_member(uid, gid).value_or(true);
  return *in_group;
}

ForeignFiles::Owner& ForeignFiles::owner_of(const std::string& directory) {
  const auto [found, is_new] = owners_.try_emplace(directory);
  if (!is_new) return found->second;
  const auto opened = account_->open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  struct stat status {};
  if (!opened || ::fstat(opened->get(), &status) != 0) return found->second;
  const bool is_shared_of_roots = status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  // Of a directory of root's into which others write, only the group tells whose they are.
  found->second = {true, is_shared_of_roots ? k_nobody : status.st_uid, status.st_gid, std::nullopt};
  return found->second;
}

bool ForeignFiles::is_foreign(const sync::Location& at, const sync::Attributes& file) {
  if ((file.mode & S_IROTH) != 0) return false;
  const std::string own = sync::directory_of(at);
  for (const auto& directory : {own, at.folder, std::string()}) {
    Owner& owner = owner_of(directory);
    if (!owner.known) continue;
    if (owner.uid == file.uid) return false;
    if ((file.mode & S_IRGRP) != 0 && owner.gid == file.gid && owner.is_in_group()) return false;
    // Nobody else puts anything there.
    if (owner.uid == 0 && directory == own) return false;
  }
  return true;
}

Result<bool> ForeignFiles::judge(const sync::Operation& operation) {
  using sync::OperationKind;
  const sync::Entry& file = operation.result;
  const std::string path = path_of(operation.to);
  if (operation.kind == OperationKind::link && links_.contains(file.inode)) return refusal(path, file.attributes.uid);
  const bool puts = operation.kind == OperationKind::put || operation.kind == OperationKind::put_control;
  if (!puts || file.kind != sync::EntryKind::file || !is_foreign(operation.to, file.attributes)) return false;
  const auto fd = account_->open(path, O_PATH | O_NOFOLLOW);
  struct stat status {};
  if (!fd || ::fstat(fd->get(), &status) != 0 || status.st_nlink < 2) return true;
  links_.insert(file.inode);
  return refusal(path, status.st_uid);
}

}  // namespace maildirsync::agent
