#pragma once

#include <string>
#include <vector>

#include "cli/deploy/steps.h"
#include "cli/options.h"

namespace maildirsync::cli {

struct DeployArguments {
  std::string destination;  ///< for ssh: "root@old.example.org"
  std::string ssh = "ssh";  ///< and its options, with spaces between
  std::string bundle;       ///< the archive; "" for where packages put it
  std::string prefix = "/opt/maildirsync";
  std::vector<std::string> setup_agent;     ///< options for `setup agent` there
  std::vector<std::string> setup_receiver;  ///< for `setup receiver` here, where it has no configuration
  std::vector<std::string> pair;            ///< for `pair` here
  DeployWishes wishes;
  bool dry_run = false;
};

/// Brings the agent to the old server, and pairs both sides: tells each step on stderr before it does it, and undoes
/// what was made when one fails. What doctor says goes to stdout. Gives the exit status.
int deploy(const Options& options, const DeployArguments& arguments);

/// Takes all of it away again, and says what it left.
int remove_deployed(const Options& options, const DeployArguments& arguments);

}  // namespace maildirsync::cli
