#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::agent {

/// What is mounted at folders of an account, by their paths: os::mounted_at, 0 for nothing.
using MountsBelow = std::map<std::string, std::uint64_t>;

/// The folder at which a file system came, went, or was exchanged for another, where the plan would remove something at
/// or below it: most likely it is not mounted, and nothing was deleted. `known` is how it was when it was last
/// acknowledged; a folder that is not in it was never looked at. Pure.
std::optional<std::string> mount_to_hold(const MountsBelow& known, const MountsBelow& now,
                                         const std::vector<sync::Operation>& operations);

}  // namespace maildirsync::agent
