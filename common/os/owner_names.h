#pragma once

#include <cstdint>
#include <string>

namespace maildirsync::os {

/// The name of an id on this machine, or "". Thread-safe.
std::string user_name(std::uint32_t uid);
std::string group_name(std::uint32_t gid);

}  // namespace maildirsync::os
