#include "daemon/apply/copy.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/way_to_write.h"

namespace maildirsync::daemon {

namespace {

Result<> copy_content(int from, int to, const std::string& path) {
  for (;;) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 30U, 0);
    if (copied == 0) return {};
    if (copied < 0 && errno != EINTR) break;
  }
  if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
    return os_failure(path, "cannot copy the file", errno);
  }
  std::vector<char> buffer(std::size_t{1} << 16U);
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(path, "cannot read the file to copy it", errno);
    if (count == 0) return {};
    MAILDIRSYNC_TRY(os::write_all(to, {buffer.data(), static_cast<std::size_t>(count)}, path));
  }
}

}  // namespace

Result<Aside> create_file(const DirectoryPtr& place) {
  MAILDIRSYNC_ASSIGN(const auto ground, os::ground_of(place->fd()));
  return Aside::create(place, ground.way);
}

Result<> name_file(Aside& file, const os::Directory& place, const std::string& name) {
  if (::fsync(file.fd()) != 0) return os_failure(place.path(), "cannot sync to the disk", errno);
  MAILDIRSYNC_TRY(file.link(place, name));
  const auto again = file.take_file_to_sync();
  if (again && ::fsync(again->get()) != 0) return os_failure(place.path(), "cannot sync to the disk", errno);
  return {};
}

Result<Aside> copy_of(const os::Directory& from, const std::string& name, const DirectoryPtr& place) {
  const std::string path = os::join(from.path(), name);
  MAILDIRSYNC_ASSIGN(auto fd, from.open_for_reading(name));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  auto copy = create_file(place);
  if (!copy) return copy;
  MAILDIRSYNC_TRY(copy_content(fd.get(), copy->fd(), path));
  MAILDIRSYNC_TRY(set_attributes(copy->fd(), {status.st_mode & 07777, status.st_uid, status.st_gid},
                                 os::nanoseconds(status.st_mtim), path));
  return copy;
}

}  // namespace maildirsync::daemon
