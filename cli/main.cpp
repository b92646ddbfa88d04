#include <iostream>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/doctor/doctor.h"
#include "common/net/identity.h"
#include "common/os/name_service.h"

namespace {

using namespace maildirsync::cli;

int run(int argc, char** argv) {
  return run_command_line(
      argc, argv,
      {
          {"status", "lag, pending work, rates and problems; a Nagios plugin as it stands", add_status},
          {"flush", "return once all that the source holds now is durable at the receiver", add_flush},
          {"verify", "compare source and destination", add_verify},
          {"plan", "inventory, space, watches, owners and times before a migration", add_plan},
          {"cutover", "presync, freeze, flush, verify, switch and drain, undone in order when one fails", add_cutover},
          {"move", "move some accounts to the new server, by name, while all others go on", add_move},
          {"door", "write the maps that say at which server each account is", add_door},
          {"pause", "stop sending; changes are kept track of", add_pause},
          {"resume", "go on sending", add_resume},
          {"release", "let what a brake holds go on, after you looked at it", add_release},
          {"reload", "have the daemon read its configuration anew, and say when it refuses it", add_reload},
          {"restore", "put back what was deleted here: on the new mail server, from its trash", add_restore},
          {"disown", "hand accounts over: on the new mail server, to the agent that brings them next", add_disown},
          {"repair-index", "put right what a Dovecot made of the destination before the cutover", add_repair_index},
          {"drain", "only add a root's new mail from now on", add_drain},
          {"mirror", "mirror a root again", add_mirror},
          {"keygen", "make a key and its certificate", add_keygen},
          {"fingerprint", "print what identifies a certificate", add_fingerprint},
          {"setup", "write the configuration of this server, with what is found here", add_setup},
          {"pair", "make agent and receiver known to each other", add_pair},
          {"deploy", "bring the agent to the old server over ssh, and pair both", add_deploy},
          {"doctor", "check configuration, permissions, limits, disk, clock and reachability", add_doctor},
      });
}

}  // namespace

int main(int argc, char** argv) try {
  maildirsync::os::begin_name_service();
  maildirsync::net::begin_openssl();
  return run(argc, argv);
} catch (const std::exception& exception) {
  std::cerr << "maildirsync: " << exception.what() << '\n';
  return maildirsync::cli::k_exit_incomplete;
}
