#pragma once

#include <string>
#include <vector>

#include "cli/setup/places.h"

namespace maildirsync::cli {

/// The texts that `setup` writes, with comments for whoever reads them later. Pure.

struct ChosenRoot {
  std::string name;
  std::string path;
  std::string accounts;
  std::string why;  ///< a comment; may be empty
};

/// agent.toml; what `pair` sets is a comment in it until then.
std::string agent_text(const Places& places, const std::vector<ChosenRoot>& roots);

/// receiver.toml without a peer.
std::string receiver_text(const Places& places, const std::string& listen);

/// The drop-in that lets the receiver's unit write below these paths; for paths in a home it lets the unit see homes.
std::string dropin_text(const std::vector<std::string>& paths);

/// The paths that a drop-in names.
std::vector<std::string> dropin_paths(const std::string& text);

}  // namespace maildirsync::cli
