#include "common/os/host.h"

#include <sys/utsname.h>

namespace maildirsync::os {

std::string host_name() {
  struct utsname names {};
  return ::uname(&names) == 0 ? names.nodename : "";
}

}  // namespace maildirsync::os
