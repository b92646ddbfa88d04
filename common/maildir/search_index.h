#pragma once

#include <string>

#include "common/os/directory.h"

namespace maildirsync::maildir {

/// Whether that directory of an account's folder is a full-text index of a mail server: `xapian-indexes` (fts-xapian),
/// `fts-flatcurve`, `lucene-indexes` (fts-lucene). The server makes it anew from the messages, on its own machine, and
/// rewrites much of it for each of them: it stays behind. One that holds mail is a mailbox, for a user may give one any
/// name. Blocks on files where the name is such a one.
bool is_search_index(const os::Directory& folder, const std::string& name);

}  // namespace maildirsync::maildir
