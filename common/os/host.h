#pragma once

#include <string>

namespace maildirsync::os {

/// This machine's name, as the kernel has it: mostly without a domain. "" when it has none.
std::string host_name();

/// The directory above that of this program's own file: "/usr" of /usr/bin/maildirsync; "" when it cannot be told.
std::string own_prefix();

}  // namespace maildirsync::os
