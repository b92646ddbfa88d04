#include <memory>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"

namespace maildirsync::cli {

Run add_disown(Parser& command) {
  struct Arguments {
    std::string peer, root, glob;
  };
  auto arguments = std::make_shared<Arguments>();
  command.add_option("PEER", arguments->peer, "the agent's name in receiver.toml")->required();
  command.add_option("--root", arguments->root, "only accounts of that root of it")
      ->type_name("NAME")
      ->check(check_glob);
  command.add_accounts(arguments->glob, "only accounts that match; without it, all");
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

}  // namespace maildirsync::cli
