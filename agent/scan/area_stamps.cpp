#include "agent/scan/area_stamps.h"

#include <algorithm>
#include <utility>

#include "common/os/kept_times.h"

namespace maildirsync::agent {

Result<AreaStamps> stamps_of(const os::Directory& cur, const os::Directory& new_) {
  AreaStamps stamps;
  for (const auto& [directory, stamp] : {std::pair(&cur, &stamps.cur), std::pair(&new_, &stamps.new_)}) {
    if (!*directory) continue;
    MAILDIRSYNC_ASSIGN(auto status, directory->status(""));
    *stamp = os::nanoseconds(status.st_mtim);
  }
  return stamps;
}

std::int64_t rests_in(const AreaStamps& stamps, std::int64_t now) {
  std::int64_t longest = 0;
  for (const std::int64_t stamp : {stamps.cur, stamps.new_}) {
    if (stamp <= now) longest = std::max(longest, os::trusted_from(stamp) - now);
  }
  return longest;
}

}  // namespace maildirsync::agent
