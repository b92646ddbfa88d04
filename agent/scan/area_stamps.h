#pragma once

#include <cstdint>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::agent {

/// The mtimes (ns) of a folder's cur/ and new/; 0 for one that is not there.
struct AreaStamps {
  std::int64_t cur = 0, new_ = 0;
  bool operator==(const AreaStamps&) const = default;
};
Result<AreaStamps> stamps_of(const os::Directory& cur, const os::Directory& new_);

/// How long one of the stamps could still be shared by a change to come, ns. One in the future cannot. Pure.
std::int64_t rests_in(const AreaStamps& stamps, std::int64_t now);

}  // namespace maildirsync::agent
