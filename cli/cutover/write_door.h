#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "cli/cutover/door.h"
#include "cli/options.h"

namespace maildirsync::cli {

/// Writes all maps of the agent's door, each in the place of the one before it, with the chosen accounts (by name, or
/// all of the roots) at that place. Gives the command that makes them count ("" when none is configured), or why not.
tl::expected<std::string, std::string> write_door(const Options& options, const std::vector<std::string>& roots,
                                                  const std::vector<std::string>& accounts, Place place);

}  // namespace maildirsync::cli
