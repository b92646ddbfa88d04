#include "common/os/boot.h"

#include "common/os/directory.h"

namespace maildirsync::os {

std::string boot_id() {
  const auto id = read_file("/proc/sys/kernel/random/boot_id", 64);
  return id ? *id : "";
}

}  // namespace maildirsync::os
