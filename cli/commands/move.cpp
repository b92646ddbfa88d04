#include <memory>
#include <string>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"
#include "cli/commands/cutover.h"

// `move`: a cutover of some accounts, by name, while all others go on as they are.

namespace maildirsync::cli {

namespace {

/// The record of a move goes to the agent in one line.
constexpr std::size_t k_most_accounts = 500;

int move(const Options& options, const CutoverArguments& arguments) {
  const auto& accounts = arguments.order.accounts;
  const bool goes_on = arguments.resume || arguments.undo;
  std::string wrong;
  if (accounts.empty() && !goes_on) wrong = "move takes the names of accounts";
  if (!accounts.empty() && goes_on) wrong = "--resume and --undo know the accounts: name none";
  if (accounts.size() > k_most_accounts) {
    wrong = "at most " + std::to_string(k_most_accounts) +
            " accounts move at once; more of them are a group: a root of its own, and maildirsync cutover --group";
  }
  if (!wrong.empty()) {
    complain(wrong);
    return k_exit_usage;
  }
  return cutover(options, arguments);
}

}  // namespace

Run add_move(Parser& command) {
  auto arguments = std::make_shared<CutoverArguments>();
  command.add_option("ACCOUNT", arguments->order.accounts, "the accounts, by name");
  command
      .add_option("--to", arguments->order.to,
                  "the drained root to which they will belong; without it the only one with an include_file")
      ->type_name("ROOT");
  add_cutover_options(command, *arguments);
  return [arguments](const Options& options) { return move(options, *arguments); };
}

}  // namespace maildirsync::cli
