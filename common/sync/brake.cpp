#include "common/sync/brake.h"

namespace maildirsync::sync {

bool should_hold(std::uint64_t messages, std::uint64_t removed) {
  return removed >= 50 && removed * 4 > messages;
}

}  // namespace maildirsync::sync
