#include <memory>

#include "cli/daemon.h"

// Commands that are one request and one sentence.

namespace maildirsync::cli {

Run add_pause(Parser&) {
  return [](const Options& options) { return ask_and_tell(options, {{"command", "pause"}}); };
}

Run add_resume(Parser&) {
  return [](const Options& options) { return ask_and_tell(options, {{"command", "resume"}}); };
}

Run add_reload(Parser& command) {
  command.footer(
      "Exit status: 0 done, 2 the daemon refuses the file and goes on with what it has, 3 it does not answer.");
  return [](const Options& options) { return ask_and_tell(options, {{"command", "reload"}}); };
}

Run add_disown(Parser& command) {
  struct Arguments {
    std::string peer, root, glob;
  };
  auto arguments = std::make_shared<Arguments>();
  command.add_option("PEER", arguments->peer, "the agent's name in receiver.toml")->required();
  command.add_option("--root", arguments->root, "only accounts of that root of it")
      ->type_name("NAME")
      ->check(check_glob);
  command.add_option("--account", arguments->glob, "only accounts that match; without it, all")
      ->type_name("GLOB")
      ->check(check_glob);
  command.footer(
      "An account at the destination belongs to the agent and root that brought it. First take it out of that one "
      "(exclude in agent.toml), or it has it back at once.");
  return [arguments](Options options) {
    if (options.control.empty()) options.control = "/run/maildirsyncd/control.sock";
    return ask_and_tell(
        options,
        {{"command", "disown"}, {"peer", arguments->peer}, {"root", arguments->root}, {"account", arguments->glob}});
  };
}

Run add_repair_index(Parser& command) {
  auto glob = std::make_shared<std::string>();
  command.add_option("--account", *glob, "only accounts that match; without it, all")
      ->type_name("GLOB")
      ->check(check_glob);
  command.footer(
      "Removes Dovecot's indexes of the accounts at the destination, where no Dovecot may serve them meanwhile, and "
      "sends their control files again.");
  return [glob](const Options& options) {
    return ask_and_tell(options, {{"command", "repair-index"}, {"account", *glob}});
  };
}

}  // namespace maildirsync::cli
