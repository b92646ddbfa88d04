#include <algorithm>
#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::string glob;
  bool yes = false;
};

/// What a person must see before it goes.
void show(const Options& options, const Json& answer) {
  using Align = Table::Align;
  Table table({{"account"}, {"root"}, {"messages", Align::right}, {"size", Align::right}, {"why"}});
  const auto& held = list_of(answer, "held");
  for (const auto& one : held) {
    const std::string account = text_of(one, "account");
    table.add({{account.empty() ? fmt::format("(all {})", count_of(one, "accounts")) : account},
               {text_of(one, "root")},
               {format_count(count_of(one, "messages"))},
               {format_bytes(static_cast<double>(count_of(one, "bytes")))},
               {text_of(one, "code")}});
  }
  print(table.text(is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off));
  if (const auto undone = text_of(answer, "undoes_detail"); !undone.empty())
    print("This undoes at the destination what users did there: " + undone + ".\n");
  const bool only_undoes = std::all_of(held.begin(), held.end(), [](const Json& one) {
    return text_of(one, "code") == "users-at-destination" && !object_of(one, "undoes").empty();
  });
  if (only_undoes) return;
  bool unkept = false;
  for (const auto& one : held)
    unkept |= !flag_of(one, "trash");
  print(fmt::format("This deletes at the destination: {}, {}. {}\n",
                    format_plural(count_of(answer, "messages"), "message"),
                    format_bytes(static_cast<double>(count_of(answer, "bytes"))),
                    unkept ? "Some of it for good: the receiver has no trash for it (trash_days in receiver.toml)."
                           : "It stays in the trash there for trash_days: maildirsync restore, on that server."));
}

bool is_confirmed() {
  std::cerr << "Release it? [y/N] " << std::flush;
  std::string line;
  return std::getline(std::cin, line) && (line == "y" || line == "Y" || line == "yes");
}

int release(const Options& options, const Arguments& arguments) {
  Json request = {{"command", "release"}, {"account", arguments.glob}};
  if (!options.json) {
    const auto held = try_ask(options, {{"command", "held"}, {"account", arguments.glob}});
    if (!held && held.error().exit_status != k_exit_usage) {  // an agent of an earlier release knows no "held"
      complain(held.error().sentence);
      return held.error().exit_status;
    }
    if (held && !list_of(*held, "held").empty()) {
      show(options, *held);
      request["messages"] = count_of(*held, "messages");
      const bool asks = !arguments.yes && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
      if (asks && !is_confirmed()) {
        print("nothing was released\n");
        return k_exit_incomplete;
      }
    }
  }
  return ask_and_tell(options, request);
}

}  // namespace

Run add_release(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_accounts(arguments->glob, "only accounts that match; without it, everything that is held");
  command.add_flag("--yes", arguments->yes, "do not ask at a terminal");
  command.footer(
      "Says first what will be deleted at the destination, or undone of what users did there; at a terminal it asks.");
  return [arguments](const Options& options) { return release(options, *arguments); };
}

}  // namespace maildirsync::cli
