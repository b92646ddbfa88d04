#pragma once

#include <cstddef>

#include "common/sync/manifest.h"

namespace maildirsync::bench {

/// A whole account of one Maildir with so many messages in cur/, named and flagged as Dovecot does.
sync::AccountManifest account_of(std::size_t messages);

/// A uidlist of about that many bytes.
std::string uidlist_of(std::size_t bytes);

}  // namespace maildirsync::bench
