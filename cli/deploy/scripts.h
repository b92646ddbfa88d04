#pragma once

#include <string>
#include <vector>

namespace maildirsync::cli {

// The shell that runs on the old server (the start, here too): POSIX sh, for any system of the last fifteen years.
// Pure.

/// A word for a shell, whatever is in it.
std::string shell_quote(const std::string& word);

/// One line, without a ': unpacks the tar on its stdin, has it installed, and leaves nothing of the archive.
std::string install_line(const std::string& prefix);
/// Writes an agent's configuration, unless there is one, and prints its line as JSON. `options` of `setup agent`.
std::string configure_script(const std::string& program, const std::vector<std::string>& options);
/// Makes the receiver known to the agent; JSON.
std::string pair_script(const std::string& program, const std::string& line, bool paused);
/// Starts a daemon that does not run, now and at each boot. `daemon`: "maildirsyncd" or "maildirsync-agent".
std::string start_script(const std::string& daemon, const std::string& prefix);
/// Waits for a connection, and prints what doctor says.
std::string doctor_script(const std::string& program);

enum class Removal {
  configuration,  ///< and the key; programs and state stay
  programs,       ///< configuration, key and state stay
  everything,     ///< of the agent
};
/// Prints "fingerprint sha256:…" of the agent's key, and "left PATH" for what is still there.
std::string remove_script(const std::string& prefix, Removal removal);

}  // namespace maildirsync::cli
