#pragma once

#include <string>
#include <vector>

#include <sys/capability.h>

#include "common/os/result.h"

namespace maildirsync::service {

/// For a daemon that root starts where no systemd gives it a user and capabilities (init scripts, systemd before 229):
/// becomes `user` with the user's own group alone, keeps the capabilities `kept` and lets go of all others for good
/// (bounding set, no_new_privs). The directories, which are made where they are missing, become the user's unless they
/// belong to somebody else than root already. Does nothing when the process is that user already. To be called before
/// any thread is started. capabilities(7), credentials(7).
Result<> become(const std::string& user, const std::vector<cap_value_t>& kept,
                const std::vector<std::string>& directories);

}  // namespace maildirsync::service
