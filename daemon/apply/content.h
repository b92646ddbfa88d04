#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/manifest.h"

namespace maildirsync::daemon {

/// What has a name; nothing when it is free.
Result<std::optional<struct stat>> look(const os::Directory& directory, const std::string& name);

/// Whether it is a regular file of that size and content.
Result<bool> has_content(const os::Directory& directory, const std::string& name, const struct stat& status,
                         std::uint64_t size, const sync::Digest& digest);
/// Whether it is a regular file that holds nothing but the beginning of `whole`, which is longer: what a power cut may
/// leave of it. An empty one is.
Result<bool> is_beginning(const os::Directory& directory, const std::string& name, const struct stat& status,
                          int whole);
/// Whether it is a symbolic link with that target.
bool has_target(const os::Directory& directory, const std::string& name, const struct stat& status,
                const std::string& target);
/// Whether a file of the directory shows the mtime that it was given, as far as its file system keeps it.
bool has_time(const os::Directory& directory, const struct stat& status, std::int64_t given);
/// Whether it is what an operation expects to find: equal size and mtime, or, where that fails, equal size and digest.
/// For a link, an equal target.
Result<bool> is_expected(const os::Directory& directory, const std::string& name, const struct stat& status,
                         const sync::Entry& expected);

/// The name under which a message is put when another one has its own: ".c" and eight digits of its digest after the
/// unique part, so that ",S=…", ",W=…" and the flags stay what they are.
std::string name_of_conflict(const std::string& name, const sync::Digest& digest);

}  // namespace maildirsync::daemon
