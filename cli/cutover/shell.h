#pragma once

#include <functional>
#include <optional>
#include <string>

#include <sys/types.h>

namespace maildirsync::cli {

/// How an administrator's command ended.
struct ShellEnd {
  bool good = false;   ///< exit status 0
  std::string detail;  ///< "exit status 1", "ended by signal 9", "interrupted", "not done in time"; "" when good
};

/// Runs a command by /bin/sh, with what it says on our stderr, nothing on its stdin, and in a process group of its own,
/// so that a Ctrl-C at the terminal is ours to deal with. When `cancel_fd` becomes readable (-1: never) or the time is
/// over (nothing: no end), the group gets SIGTERM, and SIGKILL 10 s later. `began` hears the number of the shell, which
/// is that of its group, before the command begins; should this process end while it hears it, the command does not
/// begin.
ShellEnd run_shell(const std::string& command, int cancel_fd, std::optional<double> timeout_seconds,
                   const std::function<void(pid_t)>& began = {});

}  // namespace maildirsync::cli
