#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync {

/// (folder, base name) → the base name by which the destination has the message, because somebody else's file has its
/// own.
using Aliases = std::map<std::pair<std::string, std::string>, std::string>;

/// What a listing shows of aliases.
struct SettledAliases {
  Aliases standing;  ///< the name is still another file's
  Aliases over;      ///< to be forgotten: the message has its own name there, or is not there at all
  /// Renames that give messages their own names back, which are free now. What follows them in a plan knows the
  /// messages by these.
  std::vector<Operation> back;
  std::vector<Operation> doubles;  ///< removals of those that are there under both names
  std::vector<Location> taken_by;  ///< the files that have the names of those that stand
};

/// Whoever had the name may have gone, or a person renamed ours. `listed` becomes what it would be without aliases:
/// ours under their own names, and without the files that have these names instead. `known` and `after`: what the agent
/// knows and what the source holds. Pure.
SettledAliases settle_aliases(AccountManifest& listed, const Aliases& aliases, const AccountManifest& known,
                              const AccountManifest& after);

}  // namespace maildirsync::sync
