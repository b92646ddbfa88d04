#include <sstream>

#include <fmt/format.h>

#include "cli/ask/ask.h"
#include "cli/deploy/deploy.h"
#include "cli/deploy/here.h"
#include "cli/deploy/scripts.h"
#include "cli/deploy/there.h"
#include "cli/deploy/tunnel.h"

namespace maildirsync::cli {

int remove_deployed(const Options& options, const DeployArguments& arguments) {
  There there(arguments.ssh, arguments.destination, arguments.prefix);
  const auto looked = there.look();
  if (!looked) return fail(options, looked.error());
  const OldServer& server = there.found();
  if (server.has_receiver || (server.bundle.empty() && !server.package.empty())) {
    return fail(
        options,
        {ErrorCode::config, "",
         server.has_receiver
             ? fmt::format("the maildirsync in {} on {} serves a receiver, too; take it away there: {}/uninstall",
                           arguments.prefix, there.name(), arguments.prefix)
             : fmt::format("maildirsync is a package on {}: remove it there with the package manager", there.name())});
  }
  if (server.bundle.empty() && (server.has_config || server.has_state)) {
    return fail(options, {ErrorCode::config, "",
                          fmt::format("there is no bundle in {} on {}: say where it is with --into DIRECTORY",
                                      arguments.prefix, there.name())});
  }
  tell((arguments.dry_run ? "would take away" : "taking away") +
       std::string(" the agent, its configuration, key and state on ") + there.name() +
       ", and what this server knows of it");
  if (arguments.dry_run) return k_exit_done;
  const auto said = there.must_run(remove_script(arguments.prefix, Removal::everything), k_step_seconds);
  if (!said) return fail(options, said.error());
  std::string fingerprint;
  std::istringstream lines(said->out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("fingerprint ")) fingerprint = line.substr(line.find(' ') + 1);
    if (line.starts_with("left ")) print("left on " + there.name() + ": " + line.substr(line.find(' ') + 1) + '\n');
  }
  if (remove_tunnel(tunnel_name(there.name()))) tell("the tunnel is gone");
  forget_peer(fingerprint);
  tell("maildirsync is gone from " + there.name());
  return k_exit_done;
}

}  // namespace maildirsync::cli
