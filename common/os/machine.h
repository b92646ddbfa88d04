#pragma once

#include <string>

namespace maildirsync::os {

/// What names this machine: /etc/machine-id, which a copy of its disk has too; "" when that cannot be told.
std::string machine_id();

/// What names its hardware, or a virtual machine's: the firmware's UUID, which the copy of a virtual machine mostly has
/// another one of; "" when that cannot be told, as for a process without the right to read it.
std::string hardware_id();

}  // namespace maildirsync::os
