#pragma once

#include <string>

#include "cli/setup/places.h"

namespace maildirsync::cli {

/// Makes the daemon of a side use its configuration: reloads one that runs, starts a service that does not, restarts
/// one whose unit changed, and has it started at each boot from now on. Gives a sentence about it: what was done, or
/// what has to be done by hand.
struct Applied {
  bool good = true;
  std::string sentence;
};
/// `control`: the daemon's socket. `unit_changed`: a drop-in did.
Applied apply(Role role, const Places& places, const std::string& control, bool unit_changed);

/// What the user does to start it, where we don't; and to see why it ended.
std::string start_hint(Role role, const Places& places);
std::string log_hint(Role role, const Places& places);

/// The process that serves a control socket, or -1.
int process_behind(const std::string& socket);

/// Whether systemd runs here and knows the unit.
bool has_unit(Role role);

}  // namespace maildirsync::cli
