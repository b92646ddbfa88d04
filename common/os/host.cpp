#include "common/os/host.h"

#include <array>
#include <climits>

#include <sys/utsname.h>
#include <unistd.h>

#include "common/os/path.h"

namespace maildirsync::os {

std::string host_name() {
  struct utsname names {};
  return ::uname(&names) == 0 ? names.nodename : "";
}

std::string own_prefix() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size <= 0 ? "" : directory_of(directory_of({path.data(), static_cast<std::size_t>(size)}));
}

bool is_bundled() {
  const std::string prefix = own_prefix();
  return !prefix.empty() && exists(prefix + "/share/maildirsync/bundle");
}

}  // namespace maildirsync::os
