#include "agent/look/mounts_below.h"

#include <algorithm>

namespace maildirsync::agent {

namespace {

bool is_at_or_below(const std::string& path, const std::string& folder) {
  return folder.empty() || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

bool removes_below(const sync::Operation& operation, const std::string& folder) {
  const bool removes =
      operation.kind == sync::OperationKind::remove || operation.kind == sync::OperationKind::remove_folder;
  return removes && is_at_or_below(operation.from.folder, folder);
}

}  // namespace

std::optional<std::string> mount_to_hold(const MountsBelow& known, const MountsBelow& now,
                                         const std::vector<sync::Operation>& operations) {
  for (const auto& [folder, was] : known) {
    const auto found = now.find(folder);
    const std::uint64_t is = found == now.end() ? 0 : found->second;
    if (is == was) continue;
    const bool removes = std::any_of(operations.begin(), operations.end(),
                                     [&](const auto& operation) { return removes_below(operation, folder); });
    if (removes) return folder;
  }
  return std::nullopt;
}

}  // namespace maildirsync::agent
