#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace maildirsync::os {

/// The name of an id on this machine, or "". Thread-safe.
std::string user_name(std::uint32_t uid);
std::string group_name(std::uint32_t gid);
/// Whether a user is in a group, as their own or as another; nothing for a user without a name. Thread-safe; asks the
/// name service.
std::optional<bool> is_member(std::uint32_t uid, std::uint32_t gid);

}  // namespace maildirsync::os
