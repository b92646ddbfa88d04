#pragma once

#include <cstddef>
#include <cstdint>

namespace maildirsync::daemon {

/// How many operations are staged and not yet committed, each of which holds descriptors: at most
/// most_waiting + threads * part.
struct Limits {
  std::size_t most_waiting = 0;  ///< when so many wait for the committer, no thread takes more
  std::size_t part = 0;          ///< as many a thread stages before it looks again
};

/// For a process of so many descriptors that stages on so many threads.
Limits limits_of(std::uint64_t descriptors, std::size_t threads);

}  // namespace maildirsync::daemon
