#pragma once

#include <string>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

/// Judges a symbolic link before it gets its name: `path` and the account's directory say where it will be. The daemon
/// itself follows no link, but a mail server does, with the rights of every account that it serves. So a link is made
/// only where it leads to something of the same account, and the agent's word for that is not enough: the target is
/// relative, goes up only at its beginning and not above the account, through no other link, and is a file, a
/// directory, or not there yet. Then links stay harmless together, whatever takes the place of a name on their way
/// later: each of those is judged too. special_file with the reason in `detail` when it is refused.
Result<> judge_link(const os::Directory& account, const std::string& path, const std::string& target);

/// Judges the links in and below a folder before it is renamed from one path to another: they come along, and a target
/// that goes up leads somewhere else from its new place.
Result<> judge_links_below(const os::Directory& account, const std::string& from, const std::string& to);

}  // namespace maildirsync::daemon
