#include <ctime>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/progress.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/commands/report_page.h"
#include "cli/report/plan_report.h"
#include "common/os/host.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::string glob;
  std::string html;
};

int plan(const Options& options, const Arguments& arguments) {
  auto page = Page::open(arguments.html);
  if (!page) return k_exit_usage;
  const std::time_t began = std::time(nullptr);
  const auto answer = [&] {
    ProgressBar bar(options);
    return try_ask(options, {{"command", "plan"}, {"account", arguments.glob}},
                   {.timeout_seconds = 0, .on_progress = [&](const Json& line) { show_plan_progress(bar, line); }});
  }();
  if (!answer) {
    complain(answer.error().sentence);
    if (answer.error().exit_status == k_exit_unreachable) {
      complain(
          "the inventory is the agent's: systemctl start maildirsync-agent, and maildirsync pause right after it if "
          "nothing is to be sent yet");
    }
    return answer.error().exit_status;
  }
  const Colour colour = is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off;
  print(options.json ? to_line(*answer) : plan_text(*answer, colour));
  const PlanHead head{os::host_name(), arguments.glob, format_stamp(began)};
  if (!page->write([&] { return plan_html(*answer, head); })) return k_exit_incomplete;
  return flag_of(*answer, "ready") ? k_exit_done : k_exit_incomplete;
}

}  // namespace

Run add_plan(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_accounts(arguments->glob);
  Page::add(command, arguments->html, "write a report as a page of its own, too");
  command.footer(
      "Exit status: 0 ready, 1 something must be put right first, each thing named, 2 wrong usage, "
      "3 the daemon cannot be reached.");
  return [arguments](const Options& options) { return plan(options, *arguments); };
}

}  // namespace maildirsync::cli
