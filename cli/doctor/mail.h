#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/identity.h"
#include "common/config/config.h"

namespace maildirsync::cli {

/// What the service can see of its roots.
struct Mail {
  struct Root {
    std::string name;
    std::string error;  ///< why the root itself can't be opened; else ""
    std::uint64_t accounts = 0;
    bool keeps_whole_seconds = false;  ///< none of its directories shows a stamp with a fraction
  };
  std::vector<Root> roots;
  std::uint64_t folders = 0;
  std::uint64_t watches = 0;  ///< inotify's that the agent needs: a folder's own directory, cur and new
  std::uint64_t unreadable = 0;
  std::string first_unreadable;  ///< its path
  std::string reason;
};

/// Lists every directory of every account, as the service, and opens the first files of each: a million messages are
/// not opened one by one; a single one that can't be read is a problem that the running agent names.
Result<Mail> look_at_mail(const ServiceIdentity& identity, const std::vector<config::AgentRoot>& roots);

}  // namespace maildirsync::cli
