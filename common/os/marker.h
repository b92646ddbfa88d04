#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::os {

/// What the receiver leaves in a root's directory at the destination to know it again: `.maildirsync.root`, mode 0600.
/// The agent, too, looks whether its source is that directory.
struct Marker {
  std::string id;             ///< 32 hexadecimal digits, drawn when it was made
  std::uint64_t counter = 0;  ///< only grows; an older one stands in a copy or a snapshot of the directory
  /// The ids before this one, with a space between each two, the newest first, if the directory was then found to be as
  /// it was at an earlier time; else "".
  std::string former;
  bool operator==(const Marker&) const = default;
};

inline constexpr std::string_view k_marker_name = ".maildirsync.root";
inline constexpr std::size_t k_marker_digits = 32;

std::string to_text(const Marker& marker);
/// Nothing when the text is not one of to_text.
std::optional<Marker> parse_marker(std::string_view text);

/// Nothing where there is none; `io` for a file that is not a marker. Blocking.
Result<std::optional<Marker>> read_marker(const Directory& root);

}  // namespace maildirsync::os
