#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

/// What the receiver leaves in a root's directory at the destination to know it again: `.maildirsync.root`, mode 0600.
struct Marker {
  std::string id;             ///< 32 hexadecimal digits, drawn when it was made
  std::uint64_t counter = 0;  ///< only grows; an older one stands in a copy or a snapshot of the directory
  /// The id before this one, if the directory was then found to be as it was at an earlier time; else "".
  std::string former;
  bool operator==(const Marker&) const = default;
};

inline constexpr std::string_view k_marker_name = ".maildirsync.root";

/// One that no other directory has. Fails where no random bytes can be had.
Result<Marker> new_marker();

std::string to_text(const Marker& marker);
/// Nothing when the text is not one of to_text.
std::optional<Marker> parse_marker(std::string_view text);

/// Nothing where there is none; `io` for a file that is not a marker. Blocking, as all that follow.
Result<std::optional<Marker>> read_marker(const os::Directory& root);
/// Durable when it returns.
Result<> write_marker(const os::Directory& root, const Marker& marker);
/// Only the one with that id.
Result<> remove_marker(const os::Directory& root, const std::string& id);

/// Whether nothing is in the root but what is ours, and lost+found.
Result<bool> is_empty_root(const os::Directory& root);

}  // namespace maildirsync::daemon
