#pragma once

#include <cstddef>
#include <string>

#include "common/os/result.h"

namespace maildirsync::os {

/// Fills with random bytes of the kernel: getrandom(2), since Linux 3.17, else /dev/urandom. False with errno.
bool fill_with_random(void* bytes, std::size_t count);

/// So many of them.
Result<std::string> random_bytes(std::size_t count);

}  // namespace maildirsync::os
