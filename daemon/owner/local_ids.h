#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace maildirsync::daemon {

/// Ids of this machine's users and groups, asked from the name service (may block); nothing for an unknown name.
std::optional<std::uint32_t> local_user(const std::string& name);
std::optional<std::uint32_t> local_group(const std::string& name);

/// The same for what an administrator wrote: an existing name, else a decimal number.
std::optional<std::uint32_t> local_user_or_number(const std::string& text);
std::optional<std::uint32_t> local_group_or_number(const std::string& text);

}  // namespace maildirsync::daemon
