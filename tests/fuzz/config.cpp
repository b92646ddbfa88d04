// Both configuration files: whatever is in them, the answer is a configuration or a sentence.

#include "common/config/config.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "common/os/fd.h"

namespace {

using namespace maildirsync;

template <class T>
void check(const Result<T>& read) {
  if (!read && (read.error().code != ErrorCode::config || read.error().detail.empty())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const os::Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  check(config::read_agent(path));
  check(config::read_receiver(path));
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)config::parse_rate(text);
  (void)config::parse_endpoint(text);
  return 0;
}
