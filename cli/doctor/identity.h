#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cli/setup/places.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// As whom the service works: the running daemon's ids, capabilities and view of the file system, else those of its
/// unit, else ours.
struct ServiceIdentity {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
  std::uint64_t capabilities = 0;  ///< a bit for each, as in /proc/PID/status
  int process = -1;                ///< of the running daemon; -1 when it does not run or its mounts can't be entered
  bool is_ours = false;            ///< nothing to change, or we may not
  std::string who;                 ///< for a sentence: "the user maildirsync-agent"
};

/// `process`: of the running daemon, or -1.
ServiceIdentity service_identity(Role role, int process, bool is_service_config);

/// Runs the work in a process of its own as the service; what it gives comes back as text. A failure to become the
/// service is an error.
Result<std::string> run_as(const ServiceIdentity& identity, const std::function<std::string()>& work);

/// The service's user by name, for sentences and `chown`.
std::string user_text(uid_t user);

}  // namespace maildirsync::cli
