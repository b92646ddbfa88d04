#pragma once

#include <string>

#include <sys/types.h>

namespace maildirsync::os {

/// Names a process that runs among all that ever ran on this machine: its number, when it began, the boot.
std::string name_of_process(pid_t pid);
std::string this_process();

/// Its number; 0 for what is not a name.
pid_t number_of_process(const std::string& process);

/// Whether the process of that name still runs. True, too, where the kernel does not let us see it; false for "".
bool is_running(const std::string& process);

}  // namespace maildirsync::os
