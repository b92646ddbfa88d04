#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maildirsync::os {

/// The kernel's number of the mount that a file is of, or the device's where the kernel (before 5.8) does not tell.
/// Tells mounts of one moment apart, and means nothing after a reboot. 0 when it cannot be had.
std::uint64_t mount_of(int fd);

/// A number for what is mounted at a directory: its file system (os::file_system_of) and the inode of the directory
/// there. The same over reboots, whatever numbers devices are given. Never 0.
std::uint64_t mounted_at(int fd);

/// mounted_at() where a directory is of another mount than the one above it, 0 where nothing is mounted at it.
std::uint64_t mounted_at(int fd, std::uint64_t mount_above);

/// The places below an absolute path, without links, where something is mounted, relative to it: of the text of
/// /proc/self/mountinfo. Pure.
std::vector<std::string> mount_points_below(std::string_view path, std::string_view mountinfo);
/// The same for what is mounted now, for an open directory; empty where /proc does not tell.
std::vector<std::string> mount_points_below(int directory);

}  // namespace maildirsync::os
