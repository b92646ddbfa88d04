#include "common/sync/brake.h"

#include <unordered_set>

namespace maildirsync::sync {

std::uint64_t messages_lost(const std::vector<Operation>& plan,
                            const std::unordered_map<std::uint64_t, std::size_t>& names) {
  std::unordered_map<std::uint64_t, std::size_t> going;
  std::unordered_set<std::uint64_t> coming;
  std::uint64_t lost = 0;
  for (const auto& operation : plan) {
    switch (operation.kind) {
      case OperationKind::put:
      case OperationKind::link:
      case OperationKind::rename:
        coming.insert(operation.result.inode);
        break;
      case OperationKind::remove: {
        if (operation.from.area == Area::folder) break;
        const std::uint64_t inode = operation.expected ? operation.expected->inode : 0;
        if (inode == 0) {
          ++lost;
        } else {
          ++going[inode];
        }
        break;
      }
      default:
        break;
    }
  }
  for (const auto& [inode, count] : going) {
    const auto known = names.find(inode);
    const bool keeps_a_name = known != names.end() && known->second > count;
    if (!keeps_a_name && !coming.contains(inode)) lost += count;
  }
  return lost;
}

bool should_hold(std::uint64_t messages, std::uint64_t lost) {
  return lost >= 50 && lost * 4 > messages;
}

}  // namespace maildirsync::sync
