#pragma once

#include <string>
#include <vector>

#include "cli/deploy/old_server.h"

namespace maildirsync::cli {

/// What `deploy` does, in this order.
enum class DeployStep {
  install,       ///< copy the bundle, check it, put it in its place
  configure,     ///< `setup agent`, without starting it
  receiver,      ///< `setup receiver` here
  pair_here,     ///< the receiver knows the agent before that one starts
  tunnel,        ///< a service of this machine that keeps the line
  pair_there,    ///< the agent knows the receiver, and is paused first if that was wished
  start,         ///< both daemons, where pairing did not start them
  doctor_there,  ///< when both are connected
  doctor_here,
};

struct DeployWishes {
  bool paused = false;
  bool tunnel = false;
};

struct PlannedStep {
  DeployStep step = DeployStep::install;
  std::string sentence;  ///< what it will do, beginning with a verb
};

/// `here_configured`: there is a receiver.toml. `destination` and `prefix` for the sentences. Pure.
std::vector<PlannedStep> plan_deploy(const OldServer& server, const BundleName& bundle, const DeployWishes& wishes,
                                     bool here_configured, const std::string& destination, const std::string& prefix);

}  // namespace maildirsync::cli
