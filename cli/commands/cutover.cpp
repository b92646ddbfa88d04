#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/cutover/run.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

namespace {

constexpr std::chrono::milliseconds k_pause{200};
constexpr int k_tries = 50;

bool is_connected(const Json& status) {
  return flag_of(object_of(status, "peer"), "connected");
}

/// The agent's status; one that is between two connections gets a moment.
tl::expected<Json, int> status_of_agent(const Options& options) {
  for (int i = 0;; ++i) {
    auto status = ask(options, {{"command", "status"}});
    if (!status || text_of(*status, "role") != "agent" || is_connected(*status) || i == k_tries) return status;
    std::this_thread::sleep_for(k_pause);
  }
}

/// Why the agent is in no state to begin from; "" when it is.
std::string obstacle(const Json& status) {
  if (text_of(status, "role") != "agent") {
    return "a cutover is done at the old server, where maildirsync-agent runs; this is the receiver's socket";
  }
  const std::string state = text_of(status, "state");
  if (state == "paused") return "the agent is paused: maildirsync resume, and wait until the lag is 0";
  if (state == "held") return "something is held: maildirsync status says what, and maildirsync release lets it go on";
  if (state == "blocked") return "a root cannot be read or written: maildirsync status says which, and why";
  if (!is_connected(status)) return "the receiver is not connected: maildirsync status says why";
  for (const auto& root : list_of(status, "roots")) {
    if (text_of(root, "mode") != "drain") continue;
    const std::string name = text_of(root, "name");
    return "root " + name + " is drained already; if its users are not at the new server: maildirsync mirror " + name;
  }
  return "";
}

std::string plan_text(const CutoverArguments& arguments) {
  std::string text = "This cutover will\n";
  const auto add = [&](const std::string& line) { text += "  " + line + '\n'; };
  const auto command = [&](const char* word, const std::string& given) {
    if (!given.empty()) add(std::string(word) + given);
  };
  add("presync: send all that the source holds");
  command("freeze:  ", arguments.freeze);
  add("flush:   send the last changes, comparing everything");
  add("verify:  compare source and destination");
  command("switch:  ", arguments.switch_over);
  add("drain:   from then on only give new mail");
  command("if it fails, unswitch: ", arguments.unswitch);
  command("if it fails, thaw:     ", arguments.thaw);
  return text;
}

bool is_confirmed(const Options& options, const CutoverArguments& arguments) {
  if (arguments.yes || options.json || ::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return true;
  std::cerr << plan_text(arguments) << "Begin? [y/N] " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

std::string text_of_result(const Json& result, Colour colour) {
  const bool complete = flag_of(result, "complete");
  std::string text = paint(colour, complete ? Style::good : Style::bad,
                           complete ? "complete" : "stopped at " + text_of(result, "stopped_at"));
  text += " after " + format_seconds(number_of(result, "elapsed_seconds").value_or(0));
  if (const auto window = number_of(result, "window_seconds")) {
    text += "; the source was frozen for " + format_seconds(*window);
  }
  text += '\n';
  const std::string detail = text_of(result, "detail");
  if (!detail.empty()) text += detail + '\n';
  for (const auto& undone : list_of(result, "undone")) {
    const bool good = text_of(undone, "outcome") == "done";
    text += (good ? "undone: " : "NOT undone: ") + text_of(undone, "step") + " by " + text_of(undone, "by") +
            (good ? "" : ": " + text_of(undone, "detail")) + '\n';
  }
  const std::string remedy = text_of(result, "remedy");
  return remedy.empty() ? text : text + remedy + '\n';
}

int cutover(const Options& options, const CutoverArguments& arguments) {
  const auto status = status_of_agent(options);
  if (!status) return status.error();
  if (const std::string reason = obstacle(*status); !reason.empty()) {
    complain(reason);
    if (options.json)
      print(to_line({{"complete", false},
                     {"stopped_at", "check"},
                     {"detail", reason},
                     {"steps", Json::array()},
                     {"undone", Json::array()}}));
    return k_exit_incomplete;
  }
  if (!arguments.freeze.empty() && arguments.thaw.empty()) {
    complain("no --thaw was given: if a step fails, what --freeze did must be undone by hand");
  }
  if (!is_confirmed(options, arguments)) {
    complain("not begun");
    return k_exit_incomplete;
  }
  std::vector<std::string> roots;
  for (const auto& root : list_of(*status, "roots"))
    roots.push_back(text_of(root, "name"));
  const Json result = run_cutover(options, arguments, roots);
  const Colour colour = is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off;
  print(options.json ? to_line(result) : text_of_result(result, colour));
  return flag_of(result, "complete") ? k_exit_done : k_exit_incomplete;
}

}  // namespace

Run add_cutover(Parser& command) {
  auto arguments = std::make_shared<CutoverArguments>();
  const auto add = [&](const char* name, std::string& value, const char* about) {
    command.add_option(name, value, about)->type_name("CMD");
  };
  add("--freeze", arguments->freeze, "stops deliveries and logins at the source");
  add("--thaw", arguments->thaw, "undoes --freeze, if a later step fails");
  add("--switch", arguments->switch_over, "sends clients and mail to the destination");
  add("--unswitch", arguments->unswitch, "undoes --switch; without it nothing is undone once the switch is done");
  command.add_flag("--deep", arguments->deep, "compare the contents of both sides too");
  command
      .add_option("--timeout", arguments->timeout_seconds,
                  "most seconds for the presync, and from the freeze to the switch; 0: no end")
      ->type_name("S")
      ->check(check_seconds)
      ->take_last();
  command.add_flag("--yes", arguments->yes, "do not ask at a terminal before beginning");
  command.footer(
      "Exit status: 0 done, 1 stopped, with what was undone, 2 wrong usage, 3 the daemon cannot be reached.");
  return [arguments](const Options& options) { return cutover(options, *arguments); };
}

}  // namespace maildirsync::cli
