#pragma once

#include <string>

namespace maildirsync::os {

/// Names this boot of the machine: another one after each; "" when that cannot be told.
std::string boot_id();

}  // namespace maildirsync::os
