#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "common/os/result.h"

namespace maildirsync::os {

/// How a path is kept from leaving the directory that it is opened beneath.
enum class Confinement {
  by_kernel,  ///< openat2(2), since Linux 5.6
  by_walk,    ///< name by name, for older kernels and for containers that refuse openat2(2)
};

/// The word that the log, `status` and `doctor` use: "openat2" or "walk".
const char* to_string(Confinement confinement);

/// The way of this process, found out at the first call by trying. Any thread.
Confinement confinement();

/// Whether the kernel can do what `confinement()` needs; the error says what it cannot. Ask at the start.
Result<> check_confinement();

/// open(2) of a relative path beneath `directory`, by the given way: no symbolic link and no magic link is followed, at
/// any component, and ".." does not lead out. O_CLOEXEC is added; `mode` counts with O_CREAT and O_TMPFILE only.
/// Both ways refuse the same with the same errno (tests/unit/common/os/open_beneath_test.cpp): ELOOP for a link, EXDEV
/// for an absolute path or one that leads out. By walk, any ".." is EXDEV.
/// Returns a descriptor, or -1 with errno.
int open_beneath(Confinement confinement, int directory, const char* path, int flags, mode_t mode);

}  // namespace maildirsync::os
