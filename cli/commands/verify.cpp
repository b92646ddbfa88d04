#include <ctime>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/progress.h"
#include "cli/commands/commands.h"
#include "cli/commands/report_page.h"
#include "cli/report/verify_report.h"
#include "common/os/host.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::string glob;
  bool deep = false;
  bool repair = false;
  bool aside_extra = false;
  std::string html;
};

/// The agent runs here, so the source is this host; where the destination is, the agent's status tells.
Compared compared(const Json& status, const Arguments& arguments, std::time_t began) {
  std::string roots;
  for (const auto& root : list_of(status, "roots")) {
    roots += (roots.empty() ? "" : ", ") + text_of(root, "name");
  }
  return {os::host_name() + (roots.empty() ? "" : ": " + roots), text_of(object_of(status, "peer"), "address"),
          arguments.glob, format_stamp(began)};
}

int verify(const Options& options, const Arguments& arguments) {
  Json status;
  if (!arguments.html.empty()) {
    auto known = ask(options, {{"command", "status"}});
    if (!known) return known.error();
    status = std::move(*known);
  }
  auto page = Page::open(arguments.html);
  if (!page) return k_exit_usage;
  const std::time_t began = std::time(nullptr);
  const auto answer = [&] {
    ProgressBar bar(options);
    return ask(options,
               {{"command", "verify"},
                {"account", arguments.glob},
                {"deep", arguments.deep},
                {"repair", arguments.repair},
                {"aside_extra", arguments.aside_extra}},
               0, [&](const Json& line) { show_verify_progress(bar, line); });
  }();
  if (!answer) return answer.error();
  const Colour colour = is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off;
  print(options.json ? to_line(*answer) : verify_text(*answer, colour));
  if (!page->write([&] { return verify_html(*answer, compared(status, arguments, began)); })) return k_exit_incomplete;
  return flag_of(*answer, "equal") ? k_exit_done : k_exit_incomplete;
}

}  // namespace

Run add_verify(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_accounts(arguments->glob);
  command.add_flag("--deep", arguments->deep, "compare the contents of both sides too");
  auto* repair = command.add_flag("--repair", arguments->repair, "send again what differs");
  command
      .add_flag("--aside-extra", arguments->aside_extra,
                "move what only the destination has, in accounts that are mirrored, into its trash")
      ->needs(repair);
  Page::add(command, arguments->html, "write a report as a page of its own, too");
  command.footer("Exit status: 0 equal, 1 differences, each named, 2 wrong usage, 3 the daemon cannot be reached.");
  return [arguments](const Options& options) { return verify(options, *arguments); };
}

}  // namespace maildirsync::cli
