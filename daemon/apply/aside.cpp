#include "daemon/apply/aside.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/maildir/name.h"
#include "common/os/random.h"

namespace maildirsync::daemon {

namespace {

bool has_no_unnamed_files(int error_number) {
  return error_number == EOPNOTSUPP || error_number == EISDIR || error_number == EINVAL;
}

/// Without CAP_FSETID, chmod(2) leaves the bit out, and says nothing, where the group is not one of ours. So the mode
/// is set while the group is ours, and then the group, which leaves the bits alone (but see attainable_file_mode).
Result<> set_group_id_bit(int fd, const sync::Attributes& attributes, const std::string& path) {
  const mode_t mode = attributes.mode & 07777;
  struct stat status {};
  const auto is_set = [&] { return ::fstat(fd, &status) == 0 && (status.st_mode & 07777) == mode; };
  if (is_set()) return {};
  constexpr auto k_same_user = static_cast<uid_t>(-1);
  if (::fchown(fd, k_same_user, ::getegid()) != 0 || ::fchmod(fd, mode) != 0 ||
      ::fchown(fd, k_same_user, attributes.gid) != 0) {
    return os_failure(path, "cannot set the mode", errno);
  }
  if (is_set()) return {};
  return failure(ErrorCode::permission, path, "the file system or the kernel does not let the mode be set");
}

Result<> set_owner_and_mode(int fd, const struct stat& status, const sync::Attributes& attributes,
                            const std::string& path) {
  const mode_t mode = attributes.mode & 07777;
  const bool same_owner = status.st_uid == attributes.uid && status.st_gid == attributes.gid;
  if (!same_owner && ::fchown(fd, attributes.uid, attributes.gid) != 0) {
    return os_failure(path, "cannot set the owner", errno);
  }
  if ((!same_owner || (status.st_mode & 07777) != mode) && ::fchmod(fd, mode) != 0) {
    return os_failure(path, "cannot set the mode", errno);
  }
  return (mode & S_ISGID) == 0 ? Result<>{} : set_group_id_bit(fd, attributes, path);
}

}  // namespace

std::string aside_name() {
  static std::atomic<std::uint64_t> counter = 0;
  static const std::uint64_t random = [] {
    std::uint64_t value = 0;
    if (!os::fill_with_random(&value, sizeof value)) value = static_cast<std::uint64_t>(::getpid());
    return value;
  }();
  char text[64];
  std::snprintf(text, sizeof text, "%016llx.%llu", static_cast<unsigned long long>(random),
                static_cast<unsigned long long>(++counter));
  return std::string(maildir::k_aside_prefix) + text;
}

namespace {

/// A name of this process that could not be removed, and is of no use to it any more.
struct Abandoned {
  os::Fd directory;
  std::string name;
};

std::mutex abandoned_mutex;
std::vector<Abandoned>& abandoned() {
  static std::vector<Abandoned> those;
  return those;
}

// Each keeps a descriptor. What is left over goes when the process is another.
constexpr std::size_t k_most_abandoned = 256;

bool is_removed(int directory, const std::string& name) {
  return ::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT;
}

}  // namespace

void remove_aside(const os::Directory& directory, const std::string& name) {
  if (is_removed(directory.fd(), name)) return;
  const std::lock_guard lock(abandoned_mutex);
  if (abandoned().size() >= k_most_abandoned) return;
  abandoned().push_back({os::Fd(::fcntl(directory.fd(), F_DUPFD_CLOEXEC, 0)), name});
}

void sweep_asides() {
  const std::lock_guard lock(abandoned_mutex);
  std::erase_if(abandoned(), [](const Abandoned& one) { return is_removed(one.directory.get(), one.name); });
}

bool is_stale_aside(const std::string& name) {
  if (!name.starts_with(maildir::k_aside_prefix)) return false;
  static const std::string own = [] {
    const std::string sample = aside_name();
    return sample.substr(0, sample.rfind('.') + 1);
  }();
  return !name.starts_with(own);
}

Result<Aside> Aside::create(DirectoryPtr directory, os::WayToWrite way) {
  if (way == os::WayToWrite::unnamed || way == os::WayToWrite::relinked) {
    auto fd = directory->open("", O_TMPFILE | O_RDWR, 0600);
    if (fd) return Aside(std::move(directory), std::move(*fd), "", way);
    if (!has_no_unnamed_files(fd.error().error_number)) return Failure(fd.error());
  }
  const std::string name = aside_name();
  MAILDIRSYNC_ASSIGN(auto fd, directory->open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  return Aside(std::move(directory), std::move(fd), name, way);
}

Aside& Aside::operator=(Aside&& other) noexcept {
  if (this != &other) {
    remove();
    directory_ = std::move(other.directory_);
    fd_ = std::move(other.fd_);
    name_ = std::exchange(other.name_, {});
    way_ = other.way_;
  }
  return *this;
}

void Aside::remove() {
  if (directory_ && !name_.empty()) remove_aside(*directory_, name_);
  name_.clear();
}

namespace {

/// By the descriptor itself, which whoever opened the file may do since Linux 6.10, and before only with
/// CAP_DAC_READ_SEARCH (else it gives ENOENT); or by its name in /proc, which costs three times as much.
int link_unnamed(int fd, int directory, const char* name) {
  thread_local bool by_descriptor = true;
  if (by_descriptor) {
    const int linked = ::linkat(fd, "", directory, name, AT_EMPTY_PATH);
    if (linked == 0 || errno != ENOENT) return linked;
  }
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  const int linked = ::linkat(AT_FDCWD, self.c_str(), directory, name, AT_SYMLINK_FOLLOW);
  if (linked == 0) by_descriptor = false;
  return linked;
}

}  // namespace

/// A file with a name may have got another in its place before it was linked.
Result<> Aside::expect_own(const os::Directory& directory, const std::string& name) const {
  struct stat own {};
  if (::fstat(fd_.get(), &own) != 0) return os_failure(directory.path(), "cannot stat", errno);
  const auto linked = directory.status(name);
  if (linked && linked->st_ino == own.st_ino && linked->st_dev == own.st_dev) return {};
  ::unlinkat(directory.fd(), name.c_str(), 0);
  return failure(ErrorCode::unexpected, os::join(directory.path(), name),
                 "the file written aside got another in its place");
}

Result<> Aside::link(const os::Directory& directory, const std::string& name) {
  if (!name_.empty()) return rename(directory, name, RENAME_NOREPLACE);
  if (link_unnamed(fd_.get(), directory.fd(), name.c_str()) == 0) return {};
  return os_failure(os::join(directory.path(), name), "cannot give the file its name", errno);
}

/// Where the file system knows no RENAME_NOREPLACE (NFS), by a link, which never replaces.
Result<> Aside::rename(const os::Directory& directory, const std::string& name, unsigned flags) {
  const int from = directory_->fd();
  int renamed = ::renameat2(from, name_.c_str(), directory.fd(), name.c_str(), flags);
  if (renamed != 0 && errno == EINVAL && flags != 0) {
    renamed = ::linkat(from, name_.c_str(), directory.fd(), name.c_str(), 0);
    if (renamed == 0) ::unlinkat(from, name_.c_str(), 0);
  }
  if (renamed != 0) return os_failure(os::join(directory.path(), name), "cannot give the file its name", errno);
  name_.clear();
  return expect_own(directory, name);
}

std::optional<os::Fd> Aside::take_file_to_sync() {
  if (way_ != os::WayToWrite::careful && way_ != os::WayToWrite::relinked) return std::nullopt;
  return std::move(fd_);
}

Result<> Aside::replace(const os::Directory& directory, const std::string& name) {
  if (!name_.empty()) return rename(directory, name, 0);
  const std::string between = aside_name();
  if (const auto linked = link(directory, between); !linked) {
    remove_aside(directory, between);  // an error does not say that it was not done
    return linked;
  }
  if (::renameat(directory.fd(), between.c_str(), directory.fd(), name.c_str()) == 0) return {};
  const int error_number = errno;
  remove_aside(directory, between);
  return os_failure(os::join(directory.path(), name), "cannot replace the file", error_number);
}

Result<> set_attributes(int fd, const sync::Attributes& attributes, std::int64_t mtime, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return os_failure(path, "cannot stat", errno);
  MAILDIRSYNC_TRY(set_owner_and_mode(fd, status, attributes, path));
  if (os::nanoseconds(status.st_mtim) == mtime) return {};
  const struct timespec times[2] = {{0, UTIME_OMIT}, os::to_timespec(mtime)};
  if (::futimens(fd, times) != 0) return os_failure(path, "cannot set the time", errno);
  return {};
}

Result<> set_directory_attributes(const os::Directory& directory, const sync::Attributes& attributes) {
  struct stat status {};
  if (::fstat(directory.fd(), &status) != 0) return os_failure(directory.path(), "cannot stat", errno);
  return set_owner_and_mode(directory.fd(), status, attributes, directory.path());
}

}  // namespace maildirsync::daemon
