#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/setup/pairing.h"
#include "cli/setup/places.h"

namespace maildirsync::cli {

/// What `pair` takes, and `setup` for its end.
struct PairArguments {
  std::string line;  ///< of the other side; "": only print our own
  std::string config;
  std::string prefix;
  std::string address;
  bool no_start = false;
  bool paused = false;  ///< agent: nothing is copied until `resume`
  Mapping mapping;
};

/// --config, --prefix, --address, --no-start, --paused.
void add_place_options(Parser& command, PairArguments& arguments);

/// An absolute path.
std::string absolute(const std::string& path);

/// Puts the agent at rest first, if that is wanted. Nothing else has happened yet when it fails.
Result<> keep_at_rest(const Options& options, Role role, const Places& places, const PairArguments& arguments);

/// Pairs with the line, if there is one, makes the daemon use it, prints the notes, our own line and what to do next;
/// gives the exit status.
int finish_pairing(const Options& options, Role role, const Places& places, const PairArguments& arguments,
                   std::vector<std::string> notes);

}  // namespace maildirsync::cli
