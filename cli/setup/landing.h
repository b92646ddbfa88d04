#pragma once

#include <string>

#include "cli/setup/pair_line.h"
#include "cli/setup/survey.h"
#include "common/config/config.h"

namespace maildirsync::cli {

/// What the user said about a root that an agent offers; "" for nothing.
struct Wish {
  std::string path;
  std::string owner;     ///< "user:group"
  bool is_only = false;  ///< the agent offers no other root
};

/// Where a root lands, whose its mail becomes, and a sentence about both.
struct Landing {
  config::PeerRoot root;
  std::string note;
};

/// Decides it, and makes the directory when nothing else is missing. ErrorCode::config when an owner does not exist or
/// a path can't be used.
Result<Landing> land(const OfferedRoot& offer, const Wish& wish, const Survey& survey);

}  // namespace maildirsync::cli
