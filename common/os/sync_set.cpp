#include "common/os/sync_set.h"

#include <cerrno>
#include <map>

#include <sys/stat.h>
#include <unistd.h>

#include "common/os/way_to_write.h"

namespace maildirsync::os {

namespace {

// A journaling file system pays one commit for each fsync(2); beyond a few, one syncfs(2) is cheaper, although it also
// writes what others have dirtied.
constexpr std::size_t k_one_by_one = 8;

class SystemSyncs : public Syncs {
 public:
  Result<> file(int fd) override {
    if (::fsync(fd) != 0) return os_failure("", "cannot sync to the disk", errno);
    return {};
  }
  Result<> file_system(int fd) override {
    if (::syncfs(fd) != 0) return os_failure("", "cannot sync the file system to the disk", errno);
    return {};
  }
};

}  // namespace

Syncs& system_syncs() {
  static SystemSyncs syncs;
  return syncs;
}

void SyncSet::add(std::shared_ptr<const Directory> directory) {
  if (known_.insert(directory.get()).second) directories_.push_back(std::move(directory));
}

void SyncSet::add(Fd file) {
  fds_.push_back(file.get());
  files_.push_back(std::move(file));
}

Result<> SyncSet::sync_each(const std::vector<int>& fds) {
  for (const int fd : fds)
    MAILDIRSYNC_TRY(syncs_->file(fd));
  return {};
}

Result<> SyncSet::sync_file_systems(const std::vector<int>& fds) {
  std::map<dev_t, bool> is_synced;  // or trusts nothing but each file's own sync
  for (const int fd : fds) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return os_failure("", "cannot stat", errno);
    const auto [known, is_new] = is_synced.emplace(status.st_dev, false);
    if (is_new) {
      MAILDIRSYNC_ASSIGN(const auto ground, ground_of(fd));
      known->second = ground.way != WayToWrite::careful;
      if (known->second) MAILDIRSYNC_TRY(syncs_->file_system(fd));
    }
    if (!known->second) MAILDIRSYNC_TRY(syncs_->file(fd));
  }
  return {};
}

Result<> SyncSet::sync() {
  std::vector<int> fds = std::move(fds_);
  for (const auto& file : shared_)
    fds.push_back(file->get());
  for (const auto& directory : directories_)
    fds.push_back(directory->fd());
  const auto synced = fds.size() <= k_one_by_one ? sync_each(fds) : sync_file_systems(fds);
  *this = SyncSet(*syncs_);
  return synced;
}

}  // namespace maildirsync::os
