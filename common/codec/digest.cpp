#include "common/codec/digest.h"

#include <cerrno>
#include <new>
#include <vector>

#include <unistd.h>
#include <xxhash.h>

#include "common/os/hex.h"

namespace maildirsync::codec {

namespace {

sync::Digest canonical(const XXH128_hash_t& hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  sync::Digest digest;
  static_assert(sizeof(bytes.digest) == sizeof(digest.bytes));
  std::copy(std::begin(bytes.digest), std::end(bytes.digest), digest.bytes.begin());
  return digest;
}

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

struct Digester::State {
  std::unique_ptr<XXH3_state_t, FreeState> hash{XXH3_createState()};
};

sync::Digest digest(std::string_view bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

Result<sync::Digest> digest_of(int fd, const std::string& path, const std::atomic<bool>* stop) {
  Digester digester;
  std::vector<char> buffer(128 * 1024);
  for (off_t offset = 0;;) {
    if (stop != nullptr && *stop) return failure(ErrorCode::cancelled, path, "the reading was given up");
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(path, "cannot read", errno);
    if (count == 0) return digester.finish();
    digester.update({buffer.data(), static_cast<std::size_t>(count)});
    offset += count;
  }
}

Digester::Digester() : state_(std::make_unique<State>()) {
  if (!state_->hash) throw std::bad_alloc();
  XXH3_128bits_reset(state_->hash.get());
}

Digester::~Digester() = default;
Digester::Digester(Digester&&) noexcept = default;
Digester& Digester::operator=(Digester&&) noexcept = default;

void Digester::update(std::string_view bytes) {
  XXH3_128bits_update(state_->hash.get(), bytes.data(), bytes.size());
}

sync::Digest Digester::finish() const {
  return canonical(XXH3_128bits_digest(state_->hash.get()));
}

std::string to_hex(const sync::Digest& digest) {
  return os::to_hex(digest.bytes);
}

}  // namespace maildirsync::codec
