#pragma once

#include <functional>
#include <string>

#include "cli/setup/pair_line.h"
#include "common/config/config.h"

namespace maildirsync::cli {

/// To whom the mail that an agent offers will belong here. Pure.

struct LocalOwners {
  std::function<bool(const std::string& name)> has_user;
  std::function<bool(const std::string& name)> has_group;
  std::string mail_user;  ///< who owns all mail here, if anybody does; may be ""
  std::string mail_group;
};

/// A table that maps each offered owner to the one of the same name here, and those that have none, and root, to the
/// mail's owner here; equal names as a rule when there are too many for a table. `wanted` ("user:group" or "") takes
/// all. ErrorCode::config when an owner has no counterpart.
Result<config::Owner> map_owners(const OfferedRoot& offer, const LocalOwners& local, const std::string& wanted);

}  // namespace maildirsync::cli
