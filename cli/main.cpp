#include <array>
#include <iostream>
#include <utility>
#include <vector>

#include "cli/command.h"

namespace {

using namespace maildirsync::cli;

struct Command {
  const char* name;
  const char* about;
  AddCommand* add;
};

constexpr std::array k_commands{
    Command{"status", "lag, pending work, rates and problems; a Nagios plugin as it stands", add_status},
    Command{"flush", "return once all that the source holds now is durable at the receiver", add_flush},
    Command{"verify", "compare source and destination", add_verify},
    Command{"plan", "inventory, space, watches, owners and times before a migration", add_plan},
    Command{"cutover", "presync, freeze, flush, verify, switch and drain, undone in order when one fails", add_cutover},
    Command{"pause", "stop sending; changes are kept track of", add_pause},
    Command{"resume", "go on sending", add_resume},
    Command{"release", "let what a brake holds go on, after you looked at it", add_release},
    Command{"repair-index", "put right what a Dovecot made of the destination before the cutover", add_repair_index},
    Command{"drain", "only add a root's new mail from now on", add_drain},
    Command{"mirror", "mirror a root again", add_mirror},
    Command{"keygen", "make a key and its certificate", add_keygen},
    Command{"fingerprint", "print what identifies a certificate", add_fingerprint},
    Command{"setup", "write the configuration of this server, with what is found here", add_setup},
    Command{"pair", "make agent and receiver known to each other", add_pair},
    Command{"doctor", "check configuration, permissions, limits, disk, clock and reachability", add_doctor},
};

int run(int argc, char** argv) {
  CLI::App app{"Looks after maildirsync-agent and maildirsyncd through their control sockets.", "maildirsync"};
  Options options;
  app.add_option("--control", options.control,
                 "control socket; without it the default one that exists, the agent's first")
      ->type_name("SOCKET");
  app.add_flag("--json", options.json, "results as JSON, one object a line");
  app.set_version_flag("--version", std::string("maildirsync ") + MAILDIRSYNC_VERSION);
  app.require_subcommand(0, 1);
  app.footer(
      "Exit status: 0 done, 1 something differs or is incomplete, 2 wrong usage, 3 the daemon cannot be reached.");
  std::vector<std::pair<CLI::App*, Run>> commands;
  for (const auto& command : k_commands) {
    CLI::App* parser = app.add_subcommand(command.name, command.about);
    parser->fallthrough();  // --json and --control may stand behind the command too
    commands.emplace_back(parser, command.add(*parser));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? k_exit_done : k_exit_usage;
  }
  for (const auto& [parser, run_command] : commands) {
    if (parser->parsed()) return run_command(options);
  }
  std::cerr << "maildirsync: a command is missing\n\n" << app.help();
  return k_exit_usage;
}

}  // namespace

int main(int argc, char** argv) try { return run(argc, argv); } catch (const std::exception& exception) {
  std::cerr << "maildirsync: " << exception.what() << '\n';
  return k_exit_incomplete;
}
