#pragma once

#include <optional>
#include <string>

#include "agent/scan/entry.h"
#include "common/os/directory.h"

namespace maildirsync::agent {

// Mail that a mail server keeps in another format than Maildir. Its files change in place and mean nothing without each
// other, so that a copy of them, made live, is no mail: it is told of, and left to that server's own tools. Each of
// these looks at names, and at the first bytes of few files. Blocks on files.

/// Dovecot's sdbox or mdbox: its directories `mailboxes` (with a dbox-Mails in it) and `storage` (with a map or m.1).
/// `path` is that of the directory called `name` in `above`, for the problem.
std::optional<ScanProblem> dbox_in(const os::Directory& above, const std::string& name, const std::string& path);

/// The first mbox file in an account that has no Maildir: directly in it, or in its `mail` or `Mail`.
std::optional<ScanProblem> mbox_in(const os::Directory& account);

/// Whether it is a regular file that begins as an mbox does.
bool is_mbox(const os::Directory& directory, const std::string& name);

}  // namespace maildirsync::agent
