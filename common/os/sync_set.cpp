#include "common/os/sync_set.h"

#include <cerrno>
#include <set>

#include <sys/stat.h>
#include <unistd.h>

namespace maildirsync::os {

namespace {

// A journaling file system pays one commit for each fsync(2); beyond a few, one syncfs(2) is cheaper, although it also
// writes what others have dirtied.
constexpr std::size_t k_one_by_one = 8;

Result<> sync_each(const std::vector<int>& fds) {
  for (const int fd : fds) {
    if (::fsync(fd) != 0) return os_failure("", "cannot sync to the disk", errno);
  }
  return {};
}

Result<> sync_file_systems(const std::vector<int>& fds) {
  std::set<dev_t> done;
  for (const int fd : fds) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return os_failure("", "cannot stat", errno);
    if (!done.insert(status.st_dev).second) continue;
    if (::syncfs(fd) != 0) return os_failure("", "cannot sync the file system to the disk", errno);
  }
  return {};
}

}  // namespace

void SyncSet::add(std::shared_ptr<const Directory> directory) {
  if (!known_.insert(directory.get()).second) return;
  fds_.push_back(directory->fd());
  directories_.push_back(std::move(directory));
}

void SyncSet::add(Fd file) {
  fds_.push_back(file.get());
  files_.push_back(std::move(file));
}

Result<> SyncSet::sync() {
  const auto synced = fds_.size() <= k_one_by_one ? sync_each(fds_) : sync_file_systems(fds_);
  *this = {};
  return synced;
}

}  // namespace maildirsync::os
