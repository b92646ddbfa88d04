#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace maildirsync::cli {

/// How many inotify watches a user may have, and the setting that says so: the kernel's (inotify(7)) or that of the
/// user namespace that we are in (namespaces(7), as containers have), whichever is lower.
struct WatchLimit {
  std::string name;  ///< for sysctl(8)
  std::uint64_t most = 0;
};
std::optional<WatchLimit> watch_limit();

/// A limit that leaves room for so many watches and as many again; a power of two.
std::uint64_t watches_for(std::uint64_t needed);

}  // namespace maildirsync::cli
