#include "common/os/random.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/os/fd.h"

namespace maildirsync::os {

bool fill_with_random(void* bytes, std::size_t count) {
  const ssize_t filled = ::getrandom(bytes, count, 0);
  if (filled == static_cast<ssize_t>(count)) return true;
  if (filled < 0 && errno != ENOSYS) return false;
  const Fd device(::open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  if (!device) return false;
  auto* at = static_cast<char*>(bytes);
  for (std::size_t done = 0; done < count;) {
    const ssize_t some = ::read(device.get(), at + done, count - done);
    if (some > 0) done += static_cast<std::size_t>(some);
    if (some == 0 || (some < 0 && errno != EINTR)) return false;
  }
  return true;
}

Result<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (!fill_with_random(bytes.data(), count)) return os_failure("", "no random bytes can be had", errno);
  return bytes;
}

}  // namespace maildirsync::os

/// OpenSSL asks getentropy(3) for its seed, and the C library's own fails where the kernel lacks getrandom(2). This one
/// takes its place in each program (CMakeLists.txt keeps the linker from leaving it out).
extern "C" int getentropy(void* bytes, std::size_t count) {
  constexpr std::size_t k_most = 256;
  if (count > k_most) {
    errno = EIO;
    return -1;
  }
  return maildirsync::os::fill_with_random(bytes, count) ? 0 : -1;
}
