#pragma once

#include <cstddef>
#include <string>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// Both ends, closed in whatever program this process becomes or starts.
struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe();

/// What comes out until the other end is closed; what is over `most` bytes is read and dropped. Blocks.
std::string read_to_end(int fd, std::size_t most);

}  // namespace maildirsync::os
