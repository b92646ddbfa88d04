#include "cli/ask/ask.h"
#include "cli/commands/commands.h"

namespace maildirsync::cli {

Run add_reload(Parser& command) {
  command.footer(
      "Exit status: 0 done, 2 the daemon refuses the file and goes on with what it has, 3 it does not answer.");
  return [](const Options& options) { return ask_and_tell(options, {{"command", "reload"}}); };
}

}  // namespace maildirsync::cli
