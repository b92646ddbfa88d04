#include "cli/deploy/steps.h"

#include <fmt/format.h>

namespace maildirsync::cli {

std::vector<PlannedStep> plan_deploy(const OldServer& server, const BundleName& bundle, const DeployWishes& wishes,
                                     bool here_configured, const std::string& destination, const std::string& prefix) {
  std::vector<PlannedStep> steps;
  const auto add = [&](DeployStep step, std::string sentence) { steps.push_back({step, std::move(sentence)}); };
  if (server.package.empty()) {
    const std::string what = server.bundle.empty() ? "install maildirsync " + bundle.version
                             : server.bundle == bundle.version
                                 ? "repair maildirsync " + bundle.version
                                 : fmt::format("bring maildirsync from {} to {}", server.bundle, bundle.version);
    add(DeployStep::install, fmt::format("{} in {} on {}", what, prefix, destination));
  }
  add(DeployStep::configure, server.has_config ? "keep the agent's configuration, /etc/maildirsync/agent.toml, there"
                                               : "write the agent's configuration and make its key there");
  if (!here_configured) add(DeployStep::receiver, "write the receiver's configuration and make its key here");
  add(DeployStep::pair_here, "make the agent known to the receiver here");
  if (wishes.tunnel) add(DeployStep::tunnel, "keep an ssh tunnel from here to " + destination);
  add(DeployStep::pair_there, wishes.paused ? "pause the agent, and make the receiver known to it there"
                                            : "make the receiver known to the agent there");
  add(DeployStep::start, "start both, now and at each boot");
  add(DeployStep::doctor_there, "check the agent there");
  add(DeployStep::doctor_here, "check the receiver here");
  return steps;
}

}  // namespace maildirsync::cli
