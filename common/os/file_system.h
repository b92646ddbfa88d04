#pragma once

#include <string>
#include <string_view>

namespace maildirsync::os {

/// What names the file system of an open file over reboots and mounts, as "KIND:hex": its UUID ("uuid:"), or what its
/// kind makes of that for statfs(2) ("fsid:"). "" where nothing lasting can be had (NFS, overlays, FUSE): there device
/// numbers and the like change from mount to mount.
std::string file_system_of(int fd);

/// Whether `now` is another than the one that was known `before`. A newer kernel may know the UUID of the same file
/// system where an older one knew less.
bool is_another_file_system(std::string_view before, std::string_view now);

}  // namespace maildirsync::os
