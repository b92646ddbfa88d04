#include "common/os/names.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>

namespace maildirsync::os {

Result<> for_each_name(const Directory& directory, const TakeName& take) {
  // A descriptor of its own: its offset is then nobody else's.
  MAILDIRSYNC_ASSIGN(auto fd, directory.open("", O_RDONLY | O_DIRECTORY));
  DIR* stream = ::fdopendir(fd.get());
  if (stream == nullptr) return os_failure(directory.path(), "cannot list the directory", errno);
  fd.release();  // the stream's now
  const auto close = std::unique_ptr<DIR, int (*)(DIR*)>(stream, &::closedir);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr && errno != 0) return os_failure(directory.path(), "cannot list the directory", errno);
    if (entry == nullptr) return {};
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    take(entry->d_name, entry->d_ino, entry->d_type);
  }
}

}  // namespace maildirsync::os
