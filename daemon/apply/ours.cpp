#include "daemon/apply/ours.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "common/codec/digest.h"
#include "daemon/apply/aside.h"

namespace maildirsync::daemon {

namespace {

Failure anothers(const struct stat& status, const std::string& path, const char* what) {
  return failure(ErrorCode::conflict, path,
                 "what has the name at the destination belongs to user " + std::to_string(status.st_uid) + ", " + what +
                     "; it was kept as it is: move it away");
}

Failure swapped(const std::string& path) {
  return failure(ErrorCode::unexpected, path, "the file got another in its place while it was looked at");
}

Result<> copy(int from, Aside& to, const std::string& path) {
  std::array<char, 64 * 1024> buffer{};
  for (off_t offset = 0;;) {
    const ssize_t count = ::pread(from, buffer.data(), buffer.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(path, "cannot read", errno);
    if (count == 0) return {};
    MAILDIRSYNC_TRY(to.write({buffer.data(), static_cast<std::size_t>(count)}));
    offset += count;
  }
}

}  // namespace

bool is_same_file(const struct stat& left, const struct stat& right) {
  return left.st_ino == right.st_ino && left.st_dev == right.st_dev;
}

Result<> Claim::check_content(int fd, const struct stat& status, const std::string& path) const {
  if (!wanted_.digest) {
    return failure(ErrorCode::unexpected, path,
                   "the file belongs to user " + std::to_string(status.st_uid) +
                       " at the destination, and only its content can tell whether it is the message");
  }
  auto digest = codec::digest_of(fd, path);
  if (!digest) return Failure(digest.error());
  return *digest == *wanted_.digest ? Result<>{} : anothers(status, path, "and is not the message");
}

Result<> Claim::check(const os::Directory& directory, const std::string& name, const struct stat& seen) const {
  if (is_owners(seen) || wanted_.kind == sync::EntryKind::symlink) return {};
  const std::string path = os::join(directory.path(), name);
  auto fd = directory.open_for_reading(name);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!S_ISREG(status.st_mode) || !is_same_file(status, seen)) return swapped(path);
  return check_content(fd->get(), status, path);
}

Result<> Claim::give(const DirectoryPtr& directory, const std::string& name, const struct stat& seen,
                     const std::string& path, os::SyncSet& sync) const {
  auto fd = directory->open_for_reading(name);
  if (!fd) return fd.error().error_number == ELOOP ? swapped(path) : Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!S_ISREG(status.st_mode) || !is_same_file(status, seen)) return swapped(path);
  if (!is_owners(status)) {
    MAILDIRSYNC_TRY(check_content(fd->get(), status, path));
    const bool was_theirs = former_ && former_->uid == status.st_uid;
    if (status.st_nlink > 1 && !was_theirs) return put_copy(directory, name, fd->get(), path, sync);
  }
  MAILDIRSYNC_TRY(set_attributes(fd->get(), wanted_.attributes, wanted_.mtime, path));
  sync.add(std::move(*fd));
  return {};
}

Result<> Claim::put_copy(const DirectoryPtr& directory, const std::string& name, int fd, const std::string& path,
                         os::SyncSet& sync) const {
  const auto ground = os::ground_of(directory->fd());
  if (!ground) return Failure(ground.error());
  auto aside = Aside::create(directory, ground->way);
  if (!aside) return Failure(aside.error());
  MAILDIRSYNC_TRY(copy(fd, *aside, path));
  MAILDIRSYNC_TRY(set_attributes(aside->fd(), wanted_.attributes, wanted_.mtime, path));
  if (::fsync(aside->fd()) != 0) return os_failure(path, "cannot sync to the disk", errno);
  sync.add(directory);
  MAILDIRSYNC_TRY(aside->replace(*directory, name));
  if (auto file = aside->take_file_to_sync()) sync.add(std::move(*file));
  return {};
}

Result<> Claim::give_link(const os::Directory& directory, const std::string& name, const std::string& path) const {
  const auto link = directory.open(name, O_PATH | O_NOFOLLOW);
  if (!link) return Failure(link.error());
  struct stat status {};
  if (::fstat(link->get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  const auto& owner = wanted_.attributes;
  if (!S_ISLNK(status.st_mode)) return swapped(path);
  if (status.st_uid == owner.uid && status.st_gid == owner.gid) return {};
  std::array<char, 4097> target{};
  const ssize_t size = ::readlinkat(link->get(), "", target.data(), target.size());
  if (size < 0) return os_failure(path, "cannot read the symbolic link", errno);
  const bool was_theirs = is_owners(status) || (former_ && former_->uid == status.st_uid);
  const bool is_it = std::string_view(target.data(), static_cast<std::size_t>(size)) == wanted_.target;
  if (!is_it || (!was_theirs && status.st_nlink > 1)) return anothers(status, path, "and is a link of theirs");
  if (::fchownat(link->get(), "", owner.uid, owner.gid, AT_EMPTY_PATH) != 0) {
    return os_failure(path, "cannot set the owner of the symbolic link", errno);
  }
  return {};
}

}  // namespace maildirsync::daemon
