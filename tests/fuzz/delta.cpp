// Deltas and signatures of garbage: the first byte says how many bytes of the input are the basis.

#include "common/codec/delta.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "common/os/fd.h"

namespace {

using namespace maildirsync;

constexpr std::uint64_t k_limit = 1 << 20;

std::string patched(int basis, std::string_view delta) {
  std::string target;
  const auto done = codec::patch(basis, delta, k_limit, [&](std::string_view bytes) -> Result<> {
    target.append(bytes);
    return {};
  });
  if (target.size() > k_limit) std::abort();
  return done ? target : "";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view basis = rest.substr(0, data[0]);
  rest.remove_prefix(basis.size());
  const os::Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (!file || ::write(file.get(), basis.data(), basis.size()) != static_cast<ssize_t>(basis.size())) std::abort();
  (void)patched(file.get(), rest);
  (void)codec::delta(rest, basis);  // the state's signature went bad
  // And an honest one arrives.
  const auto signature = codec::signature(basis);
  if (!signature) std::abort();
  const auto delta = codec::delta(*signature, rest);
  if (!delta || patched(file.get(), *delta) != rest) std::abort();
  return 0;
}
