#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace maildirsync::os {

/// Two small digits for each byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

}  // namespace maildirsync::os
