#include "common/os/pipe.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace maildirsync::os {

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return os_failure("", "no pipe can be made", errno);
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::string read_to_end(int fd, std::size_t most) {
  std::string text;
  std::array<char, 65536> chunk{};
  for (;;) {
    const ssize_t size = ::read(fd, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(chunk.data(), std::min(static_cast<std::size_t>(size), most - text.size()));
  }
}

}  // namespace maildirsync::os
