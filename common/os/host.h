#pragma once

#include <string>

namespace maildirsync::os {

/// This machine's name, as the kernel has it: mostly without a domain. "" when it has none.
std::string host_name();

}  // namespace maildirsync::os
