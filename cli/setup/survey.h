#pragma once

#include <string>
#include <vector>

#include "cli/setup/config_text.h"
#include "cli/setup/discover.h"
#include "cli/setup/pair_line.h"
#include "common/config/config.h"

namespace maildirsync::cli {

/// Looks at this machine: what its mail server says, and which trees of Maildirs there are. Reads only; a part that is
/// not there or not readable says nothing.

struct Survey {
  std::vector<ChosenRoot> roots;  ///< the first is the most likely
  std::string user;               ///< of all mail here; "" when there is none
  std::string group;
  std::vector<std::string> notes;
};
Survey survey_mail();

/// The layout of the Maildirs below a path; "" when none can be told.
std::string layout_below(const std::string& path);

/// A root for the pair line: whose its mail is, as its first accounts show.
OfferedRoot offer_of(const config::AgentRoot& root);

}  // namespace maildirsync::cli
