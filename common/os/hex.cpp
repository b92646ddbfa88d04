#include "common/os/hex.h"

#include <string_view>

namespace maildirsync::os {

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text.push_back(k_digits[byte >> 4]);
    text.push_back(k_digits[byte & 0xf]);
  }
  return text;
}

}  // namespace maildirsync::os
