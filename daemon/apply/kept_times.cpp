#include "daemon/apply/kept_times.h"

#include <map>
#include <mutex>
#include <tuple>

#include <sys/stat.h>
#include <sys/vfs.h>

namespace maildirsync::daemon {

namespace {

/// The device's number alone may go to another file system that is mounted later.
using FileSystem = std::tuple<dev_t, long, int, int>;

}  // namespace

os::KeptTimes kept_times(const os::Directory& directory) {
  static std::mutex mutex;
  static std::map<FileSystem, os::KeptTimes> known;
  struct stat status {};
  struct statfs system {};
  if (::fstat(directory.fd(), &status) != 0 || ::fstatfs(directory.fd(), &system) != 0) return {};
  const FileSystem key(status.st_dev, static_cast<long>(system.f_type), system.f_fsid.__val[0], system.f_fsid.__val[1]);
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const auto measured = os::measure_kept_times(directory);
  if (!measured) return {};
  return known.emplace(key, *measured).first->second;
}

}  // namespace maildirsync::daemon
