#pragma once

#include <string>

namespace maildirsync::os {

/// This machine's name, as the kernel has it: mostly without a domain. "" when it has none.
std::string host_name();

/// The directory above that of this program's own file: "/usr" of /usr/bin/maildirsync; "" when it cannot be told.
std::string own_prefix();

/// Whether this program is one of a bundle, with libraries of its own: by what lies beside it.
bool is_bundled();

}  // namespace maildirsync::os
