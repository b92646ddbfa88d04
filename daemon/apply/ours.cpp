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
  MAILDIRSYNC_ASSIGN(auto digest, codec::digest_of(fd, path));
  return digest == *wanted_.digest ? Result<>{} : anothers(status, path, "and is not the message");
}

Result<> Claim::check(const os::Directory& directory, const std::string& name, const struct stat& seen) const {
  if (is_owners(seen) || wanted_.kind == sync::EntryKind::symlink) return {};
  const std::string path = os::join(directory.path(), name);
  MAILDIRSYNC_ASSIGN(auto fd, directory.open_for_reading(name));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!S_ISREG(status.st_mode) || !is_same_file(status, seen)) return swapped(path);
  return check_content(fd.get(), status, path);
}

Result<> Claim::give(Tree& tree, const Tree::Place& at, const struct stat& seen, const std::string& path,
                     os::SyncSet& sync) const {
  auto fd = at.directory->open_for_reading(at.name);
  if (!fd) return fd.error().error_number == ELOOP ? swapped(path) : Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!S_ISREG(status.st_mode) || !is_same_file(status, seen)) return swapped(path);
  if (!is_owners(status)) {
    MAILDIRSYNC_TRY(check_content(fd->get(), status, path));
    const bool was_theirs = former_ && former_->uid == status.st_uid;
    // The last of several names, whose others are links of a copy by now, becomes one too.
    const bool was_copied = tree.copies().contains({status.st_dev, status.st_ino});
    if ((status.st_nlink > 1 || was_copied) && !was_theirs) return put_copy(tree, at, fd->get(), status, path, sync);
  }
  MAILDIRSYNC_TRY(set_attributes(fd->get(), wanted_.attributes, wanted_.mtime, path));
  sync.add(std::move(*fd));
  return {};
}

namespace {

/// Gives the name to the copy that another name of the file has already; false when that is not there any more.
Result<bool> link_copy(const Tree::Copy& copy, const Tree::Place& at) {
  const std::string between = aside_name();
  if (::linkat(copy.directory->fd(), copy.name.c_str(), at.directory->fd(), between.c_str(), 0) != 0) return false;
  const auto linked = at.directory->status(between);
  if (!linked || !is_same_file(*linked, copy.status)) {
    remove_aside(*at.directory, between);
    return false;
  }
  if (::renameat(at.directory->fd(), between.c_str(), at.directory->fd(), at.name.c_str()) == 0) return true;
  const int error_number = errno;
  remove_aside(*at.directory, between);
  return os_failure(os::join(at.directory->path(), at.name), "cannot replace the file", error_number);
}

}  // namespace

Result<> Claim::put_copy(Tree& tree, const Tree::Place& at, int fd, const struct stat& status, const std::string& path,
                         os::SyncSet& sync) const {
  sync.add(at.directory);
  const std::pair inode(status.st_dev, status.st_ino);
  if (const auto known = tree.copies().find(inode); known != tree.copies().end()) {
    const auto linked = link_copy(known->second, at);
    if (!linked || *linked) return linked ? Result<>() : Failure(linked.error());
  }
  MAILDIRSYNC_ASSIGN(const auto ground, os::ground_of(at.directory->fd()));
  MAILDIRSYNC_ASSIGN(auto aside, Aside::create(at.directory, ground.way));
  MAILDIRSYNC_TRY(copy(fd, aside, path));
  MAILDIRSYNC_TRY(set_attributes(aside.fd(), wanted_.attributes, wanted_.mtime, path));
  if (::fsync(aside.fd()) != 0) return os_failure(path, "cannot sync to the disk", errno);
  Tree::Copy made{at.directory, at.name, {}};
  if (::fstat(aside.fd(), &made.status) != 0) return os_failure(path, "cannot stat", errno);
  MAILDIRSYNC_TRY(aside.replace(*at.directory, at.name));
  if (auto file = aside.take_file_to_sync()) sync.add(std::move(*file));
  tree.copies().insert_or_assign(inode, std::move(made));
  return {};
}

Result<> Claim::give_link(const os::Directory& directory, const std::string& name, const std::string& path) const {
  MAILDIRSYNC_ASSIGN(const auto link, directory.open(name, O_PATH | O_NOFOLLOW));
  struct stat status {};
  if (::fstat(link.get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  const auto& owner = wanted_.attributes;
  if (!S_ISLNK(status.st_mode)) return swapped(path);
  if (status.st_uid == owner.uid && status.st_gid == owner.gid) return {};
  std::array<char, 4097> target{};
  const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
  if (size < 0) return os_failure(path, "cannot read the symbolic link", errno);
  const bool was_theirs = is_owners(status) || (former_ && former_->uid == status.st_uid);
  const bool is_it = std::string_view(target.data(), static_cast<std::size_t>(size)) == wanted_.target.text();
  if (!is_it || (!was_theirs && status.st_nlink > 1)) return anothers(status, path, "and is a link of theirs");
  if (::fchownat(link.get(), "", owner.uid, owner.gid, AT_EMPTY_PATH) != 0) {
    return os_failure(path, "cannot set the owner of the symbolic link", errno);
  }
  return {};
}

}  // namespace maildirsync::daemon
