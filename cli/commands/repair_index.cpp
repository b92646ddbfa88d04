#include <memory>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"

namespace maildirsync::cli {

Run add_repair_index(Parser& command) {
  auto glob = std::make_shared<std::string>();
  command.add_accounts(*glob, "only accounts that match; without it, all");
  command.footer(
      "Removes Dovecot's indexes of the accounts at the destination, where no Dovecot may serve them meanwhile, and "
      "sends their control files again.");
  return [glob](const Options& options) {
    return ask_and_tell(options, {{"command", "repair-index"}, {"account", *glob}});
  };
}

}  // namespace maildirsync::cli
