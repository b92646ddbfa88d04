#include "daemon/session/limits.h"

#include <algorithm>

namespace maildirsync::daemon {

Limits limits_of(std::uint64_t descriptors, std::size_t threads) {
  // An operation holds a descriptor or two, and those of its folder's directories. Half of the room is for the parts.
  constexpr std::uint64_t k_descriptors_each = 8;
  constexpr std::size_t k_most_part = 64;
  const auto most_waiting =
      static_cast<std::size_t>(std::clamp<std::uint64_t>(descriptors / k_descriptors_each, 16, 8192));
  return {.most_waiting = most_waiting, .part = std::clamp<std::size_t>(most_waiting / threads, 1, k_most_part)};
}

}  // namespace maildirsync::daemon
