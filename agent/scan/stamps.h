#pragma once

#include <cstdint>

namespace maildirsync::agent {

/// The mtimes (ns) of a folder's directories at a scan; 0: not there, or not to be trusted because it was "racy" (so
/// young that another change could share the stamp).
struct Stamps {
  std::int64_t self = 0, cur = 0, new_ = 0;
  bool operator==(const Stamps&) const = default;
};

}  // namespace maildirsync::agent
