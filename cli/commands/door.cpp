#include <cstdlib>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"
#include "cli/cutover/shell.h"
#include "cli/cutover/write_door.h"

// `door`: the maps as the accounts are now, before the first one moves, and after others came.

namespace maildirsync::cli {

namespace {

int door(const Options& options) {
  const auto command = write_door(options, {}, {}, Place::here);
  if (!command) {
    complain(command.error());
    return k_exit_incomplete;
  }
  const ShellEnd end = command->empty() ? ShellEnd{true, ""} : run_shell(*command, -1, std::nullopt);
  if (!end.good) {
    complain("the maps are written, but the command of the door failed: " + end.detail);
    return k_exit_incomplete;
  }
  if (options.json) print(to_line({{"ok", true}}));
  if (!options.json) print("the maps say where each account is now\n");
  return k_exit_done;
}

}  // namespace

Run add_door(Parser& /*command*/) {
  return door;
}

}  // namespace maildirsync::cli
