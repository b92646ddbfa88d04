#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/os/result.h"

namespace maildirsync::codec {

/// librsync signature (BLAKE2, strong sum of 16 bytes) of a basis; block length chosen by its size.
Result<std::string> signature(std::string_view basis);

/// The delta that turns the basis of `basis_signature` into `target`. Fails with io on a signature of garbage.
Result<std::string> delta(std::string_view basis_signature, std::string_view target);

/// The delta for a target that begins with its whole basis of `basis_size` bytes: needs no signature, and no search.
std::string delta_of_appended(std::size_t basis_size, std::string_view target);

/// A signature of `target` from one of its first `basis_size` bytes: only what was appended is read.
Result<std::string> signature_of_appended(std::string_view basis_signature, std::size_t basis_size,
                                          std::string_view target);

/// Rebuilds the target: feeds it piece by piece to `sink`. `basis_fd` is read by pread(2) and not moved. `limit`
/// bounds the target's size (too_big); a delta of garbage gives protocol. A sink that fails stops it.
Result<> patch(int basis_fd, std::string_view delta, std::uint64_t limit,
               const std::function<Result<>(std::string_view)>& sink);

}  // namespace maildirsync::codec
