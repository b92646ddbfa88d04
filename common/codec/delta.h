#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/os/content.h"
#include "common/os/result.h"

namespace maildirsync::codec {

/// librsync signature (BLAKE2, strong sum of 16 bytes) of a basis; block length chosen by its size.
Result<std::string> signature(const os::Content& basis);

/// The delta that turns the basis of `basis_signature` into `target`. Fails with io on a signature of garbage, with
/// too_big when it has more than `most` bytes.
Result<std::string> delta(std::string_view basis_signature, const os::Content& target, std::size_t most = SIZE_MAX);

/// The delta for a target that begins with its whole basis of `basis_size` bytes is what was appended between these
/// two: it needs no signature, and no search.
struct Around {
  std::string head, tail;
};
Around delta_of_appended(std::uint64_t basis_size, std::uint64_t target_size);

/// A signature of `target` from one of its first `basis_size` bytes: only what was appended is read.
Result<std::string> signature_of_appended(std::string_view basis_signature, std::uint64_t basis_size,
                                          const os::Content& target);

/// Rebuilds a target from its basis and a delta that comes in pieces. Holds neither. Not thread-safe.
class Patcher {
 public:
  /// What is rebuilt goes to `sink`, which stops it when it fails. `basis_fd`, which must stay open, is read by
  /// pread(2) and not moved. `limit` bounds the target's size.
  Patcher(int basis_fd, std::uint64_t limit, std::function<Result<>(std::string_view)> sink);
  ~Patcher();
  Patcher(Patcher&&) noexcept;
  Patcher& operator=(Patcher&&) noexcept;

  /// The next piece. too_big beyond the limit, protocol on garbage.
  Result<> feed(std::string_view delta);
  /// protocol when the delta is not at its end.
  Result<> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The same with a delta that is there as a whole.
Result<> patch(int basis_fd, std::string_view delta, std::uint64_t limit,
               std::function<Result<>(std::string_view)> sink);

}  // namespace maildirsync::codec
