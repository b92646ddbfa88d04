#pragma once

#include <string_view>

namespace maildirsync::maildir {

/// The trash, at the top of a destination's root.
inline constexpr std::string_view k_trash = ".maildirsync.trash";

/// Whether it is a name that maildirsync gives to files of its own: asides, probes, notes of the trash and of a root. A
/// server that was a destination once has such still. What else begins as they do is somebody's, and cannot be mirrored
/// under that name.
bool is_own_name(std::string_view name);

}  // namespace maildirsync::maildir
