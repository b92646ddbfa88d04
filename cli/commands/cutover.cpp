#include "cli/commands/cutover.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/commands/report_page.h"
#include "cli/cutover/kept_record.h"
#include "cli/cutover/membership.h"
#include "cli/cutover/obstacles.h"
#include "cli/cutover/outcome.h"
#include "cli/cutover/page.h"
#include "cli/cutover/run.h"
#include "cli/report/format.h"
#include "common/os/host.h"
#include "common/os/name_service.h"
#include "common/os/process.h"

namespace maildirsync::cli {

namespace {

constexpr std::chrono::milliseconds k_pause{200};
constexpr int k_tries = 50;
constexpr double k_hook_timeout_seconds = 600;

using Arguments = CutoverArguments;

/// A cutover that is about to begin, to go on, or to go back.
struct Beginning {
  CutoverRecord record;
  Way way = Way::on;
};

using Begun = tl::expected<Beginning, std::string>;  ///< or why not
using Not = tl::unexpected<std::string>;

bool is_connected(const Json& status) {
  return flag_of(object_of(status, "peer"), "connected");
}

/// The agent's status; one that is between two connections gets a moment.
tl::expected<Json, int> status_of_agent(const Options& options, bool waits) {
  for (int i = 0;; ++i) {
    auto status = ask(options, {{"command", "status"}});
    if (!status || text_of(*status, "role") != "agent" || is_connected(*status) || !waits || i == k_tries)
      return status;
    std::this_thread::sleep_for(k_pause);
  }
}

/// Who begins it, for the record: with sudo, the person who used it.
std::string this_person() {
  const char* person = std::getenv("SUDO_USER");
  if (person != nullptr && *person != '\0') return person;
  const std::string name = os::user_name(::geteuid());
  return name.empty() ? std::to_string(::geteuid()) : name;
}

// ---- whether it may begin ----

std::string under_way_text(const Json& found) {
  return fmt::format("a cutover is under way: {} began it at {}, and process {} is at its step {}",
                     text_of(found, "by"), text_of(found, "began"), os::number_of_process(text_of(found, "holder")),
                     text_of(found, "step"));
}

/// A command that was begun and whose end nobody saw.
std::string running_command_text(const CutoverRecord& record) {
  if (record.entries.empty() || record.entries.back().end != End::unknown) return "";
  const CutoverEntry& last = record.entries.back();
  if (!os::is_running(last.process)) return "";
  const pid_t pid = os::number_of_process(last.process);
  return fmt::format("the command of the step {} still runs, as process {}: wait for its end, or end it: kill -- -{}",
                     last.task.undoes ? undo_of(last.task.step) : name_of(last.task.step), pid, pid);
}

constexpr const char* k_not_understood =
    "the record of the last cutover cannot be understood by this version: look by hand whether the old server is "
    "frozen "
    "and which one serves. Once that is settled, remove the record while the agent does not run: it is the file "
    "cutover "
    "in its state_dir";

/// A group is a root; without a name, all.
tl::expected<std::vector<std::string>, std::string> roots_of(const Json& status,
                                                             const std::vector<std::string>& groups) {
  std::vector<std::string> all;
  for (const auto& root : list_of(status, "roots"))
    all.push_back(text_of(root, "name"));
  for (const auto& group : groups) {
    if (std::find(all.begin(), all.end(), group) != all.end()) continue;
    return Not(fmt::format("there is no group '{}': a group is a root of agent.toml, and these are there: {}", group,
                           fmt::join(all, ", ")));
  }
  return groups.empty() ? all : groups;
}

/// The agent's door and roots, and what it knows of these accounts; or why it could not be asked.
tl::expected<Json, std::string> ask_for_door(const Options& options, std::vector<std::string> accounts) {
  if (accounts.empty()) accounts.emplace_back();  // of none
  const auto answer = try_ask(options, {{"command", "door"}, {"accounts", accounts}});
  if (answer) return *answer;
  if (answer.error().exit_status == k_exit_usage) return Json::object();  // an agent of an earlier release has none
  return Not(answer.error().sentence);
}

Begun fresh(const Json& status, const Json& found, const Json& door, const Arguments& arguments) {
  if (flag_of(found, "open") && !read_record(found)) return Not(k_not_understood);
  if (flag_of(found, "open")) {
    return Not(
        fmt::format("the cutover that {} began at {} stopped at its step {} and still stands. To go on with it: "
                    "maildirsync cutover --resume; to take it back: maildirsync cutover --undo",
                    text_of(found, "by"), text_of(found, "began"), text_of(found, "step")));
  }
  const auto& accounts = arguments.order.accounts;
  Move move;
  if (!accounts.empty()) {
    auto planned = plan_move(door, accounts, arguments.order.to);
    if (!planned) return Not(planned.error());
    move = std::move(*planned);
  } else {
    auto roots = roots_of(status, arguments.groups);
    if (!roots) return Not(roots.error());
    move.roots = std::move(*roots);
  }
  if (const std::string why = obstacle(status, move.roots, accounts); !why.empty()) return Not(why);
  Beginning beginning;
  beginning.record = {
      .order = arguments.order, .by = this_person(), .began = format_stamp(std::time(nullptr)), .entries = {}};
  beginning.record.order.timeout_seconds = arguments.timeout.value_or(0);
  beginning.record.order.hook_timeout_seconds = arguments.hook_timeout.value_or(k_hook_timeout_seconds);
  beginning.record.order.roots = std::move(move.roots);
  beginning.record.order.to = std::move(move.to);
  beginning.record.order.door = !object_of(door, "door").empty();
  return beginning;
}

/// What is given anew counts.
void give_anew(CutoverOrder& order, const Arguments& arguments) {
  for (const auto member : {&CutoverOrder::freeze, &CutoverOrder::thaw, &CutoverOrder::switch_over,
                            &CutoverOrder::unswitch, &CutoverOrder::check}) {
    if (!(arguments.order.*member).empty()) order.*member = arguments.order.*member;
  }
  order.deep |= arguments.order.deep;
  order.timeout_seconds = arguments.timeout.value_or(order.timeout_seconds);
  order.hook_timeout_seconds = arguments.hook_timeout.value_or(order.hook_timeout_seconds);
}

Begun left(const Json& found, const Arguments& arguments) {
  const std::string what = arguments.resume ? "go on with" : "take back";
  if (found.is_null()) return Not("there is no cutover to " + what);
  auto record = read_record(found);
  if (!record) return Not(k_not_understood);
  if (std::string why = running_command_text(*record); !why.empty()) return Not(why);
  give_anew(record->order, arguments);
  const auto history = history_of(*record);
  const Script script = script_of(record->order);
  if (is_complete(script, history)) {
    return Not("the cutover of " + record->began + " is complete: there is none to " + what);
  }
  if (arguments.undo && !is_open(script, history)) {
    return Not("nothing stands of the cutover of " + record->began + ": there is none to take back");
  }
  if (arguments.resume && goes_back(history)) {
    return Not(is_open(script, history)
                   ? "this cutover was on its way back: maildirsync cutover --undo takes back the rest"
                   : "the cutover of " + record->began + " was undone: begin a new one");
  }
  return Beginning{std::move(*record), arguments.undo ? Way::back : Way::on};
}

// ---- what it will do ----

bool is_at_door(Step step) {
  return step == Step::freeze || step == Step::switch_over;
}

std::string plan_text(const Beginning& beginning) {
  const CutoverOrder& order = beginning.record.order;
  const Script script = script_of(order);
  auto history =
      beginning.way == Way::back ? to_go_back(history_of(beginning.record)) : to_go_on(history_of(beginning.record));
  std::string text = "This will\n";
  const auto add = [&](const Task& task) {
    const std::string name(task.undoes ? undo_of(task.step) : name_of(task.step));
    const std::string* command = task.step == Step::freeze        ? &(task.undoes ? order.thaw : order.freeze)
                                 : task.step == Step::switch_over ? &(task.undoes ? order.unswitch : order.switch_over)
                                 : task.step == Step::check       ? &order.check
                                                                  : nullptr;
    const char* about = task.step == Step::presync   ? "send all that the source holds, and compare"
                        : task.step == Step::flush   ? "send the last changes, looking at everything"
                        : task.step == Step::verify  ? "compare source and destination"
                        : task.step == Step::indexes ? "put right what was opened too early"
                        : task.undoes                ? "mirror again"
                                                     : "from then on only give new mail";
    std::string what = command != nullptr ? *command : about;
    if (is_at_door(task.step) && order.door) {
      what = std::string("write the maps of the door") + (what.empty() ? "" : ", and " + what);
    }
    text += fmt::format("  {:<9} {}\n", name + ":", what);
  };
  for (auto task = next_task(script, history, beginning.way); task; task = next_task(script, history, beginning.way)) {
    add(*task);
    history.push_back({*task, End::good});
  }
  if (beginning.way == Way::back || order.rehearse) return text;
  if (!order.unswitch.empty()) text += "  if it fails, unswitch: " + order.unswitch + '\n';
  if (!order.thaw.empty()) text += "  if it fails, thaw:     " + order.thaw + '\n';
  return text;
}

bool is_confirmed(const Options& options, const Arguments& arguments, const Beginning& beginning) {
  if (arguments.yes || options.json || ::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return true;
  std::cerr << plan_text(beginning) << "Begin? [y/N] " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

// ---- the command ----

/// What of the command line cannot be; "" when it can. A door is a switch of its own.
std::string wrong_usage(const Arguments& arguments, bool has_door) {
  const CutoverOrder& order = arguments.order;
  if (arguments.resume || arguments.undo) return "";
  if (order.rehearse) {
    const bool stays_frozen = !order.freeze.empty() && order.thaw.empty();
    return stays_frozen ? "--rehearse with --freeze needs --thaw, which ends it" : "";
  }
  if (order.switch_over.empty() && !has_door) {
    if (order.moves()) {
      return "nothing would send the users to the new server: configure a [door] in agent.toml "
             "(docs/configuration.md), or give --switch, a command that does it";
    }
    return "--switch is required: the command that sends clients and mail to the new server. To see how long the "
           "window will take: --rehearse";
  }
  return "";
}

int refuse(const Options& options, const std::string& why) {
  complain(why);
  if (options.json)
    print(to_line({{"complete", false},
                   {"refused", true},
                   {"stopped_at", "check"},
                   {"detail", why},
                   {"steps", Json::array()},
                   {"undone", Json::array()}}));
  return k_exit_incomplete;
}

/// With what the accounts hold now.
std::string page_of(const Options& options, const Json& answer) {
  const auto status = try_ask(options, {{"command", "status"}, {"account", "*"}});
  return cutover_html(answer, status ? *status : Json::object(), os::host_name());
}

}  // namespace

int cutover(const Options& options, const CutoverArguments& arguments) {
  if (const std::string wrong = wrong_usage(arguments, true); !wrong.empty()) {
    complain(wrong);
    return k_exit_usage;
  }
  const auto status = status_of_agent(options, !arguments.undo);
  if (!status) return status.error();
  if (text_of(*status, "role") != "agent") {
    return refuse(options,
                  "a cutover is done at the old server, where maildirsync-agent runs; this is the receiver's socket");
  }
  const auto door = ask_for_door(options, arguments.order.accounts);
  if (!door) return refuse(options, door.error());
  if (const std::string wrong = wrong_usage(arguments, !object_of(*door, "door").empty()); !wrong.empty()) {
    complain(wrong);
    return k_exit_usage;
  }
  const auto found = ask_for_record(options);
  if (!found) {
    complain(found.error().sentence);
    return found.error().exit_status;
  }
  if (os::is_running(text_of(*found, "holder"))) return refuse(options, under_way_text(*found));
  const bool is_new = !arguments.resume && !arguments.undo;
  auto beginning = is_new ? fresh(*status, *found, *door, arguments) : left(*found, arguments);
  if (!beginning) return refuse(options, beginning.error());
  const CutoverOrder& order = beginning->record.order;
  if (beginning->way == Way::on && !order.freeze.empty() && order.thaw.empty()) {
    complain("no --thaw was given: if a step fails, what --freeze did must be undone by hand");
  }
  if (!is_confirmed(options, arguments, *beginning)) {
    complain("not begun");
    return k_exit_incomplete;
  }
  auto page = Page::open(arguments.html);
  if (!page) return k_exit_usage;
  const Json answer = run_cutover(options, std::move(beginning->record), text_of(*found, "holder"), beginning->way);
  const Colour colour = is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off;
  print(options.json ? to_line(answer) : cutover_text(answer, colour));
  if (!page->write([&] { return page_of(options, answer); })) return k_exit_incomplete;
  const bool done = flag_of(answer, "complete") || (arguments.undo && flag_of(answer, "undone_all"));
  return done ? k_exit_done : k_exit_incomplete;
}

void add_cutover_options(Parser& command, CutoverArguments& given) {
  CutoverArguments* arguments = &given;
  CutoverOrder& order = given.order;
  const auto add = [&](const char* name, std::string& value, const char* about) {
    command.add_option(name, value, about)->type_name("CMD");
  };
  const auto add_seconds = [&](const char* name, std::optional<double>& value, const char* about) {
    command.add_option(name, value, about)->type_name("S")->check(check_seconds)->take_last();
  };
  add("--freeze", order.freeze, "stops deliveries and logins at the source");
  add("--thaw", order.thaw, "undoes --freeze, if a later step fails");
  add("--switch", order.switch_over, "sends clients and mail to the destination");
  add("--unswitch", order.unswitch, "undoes --switch; without it nothing is undone once the switch began");
  add("--check", order.check, "looks whether the destination serves, after the switch; its failure is the switch's");
  command.add_flag("--deep", order.deep, "compare the contents of both sides too");
  add_seconds("--timeout", arguments->timeout,
              "most seconds for each part of the presync, and from the freeze to the switch; 0: no end");
  add_seconds("--hook-timeout", arguments->hook_timeout, "most seconds for each of the commands (600); 0: no end");
  auto* rehearse = command.add_flag("--rehearse", order.rehearse,
                                    "everything up to the comparison, then thaw: how long the window will take");
  auto* resume = command.add_flag("--resume", arguments->resume, "go on with a cutover that stopped");
  auto* undo = command.add_flag("--undo", arguments->undo, "take back a cutover that stopped");
  resume->excludes(undo);
  rehearse->excludes(resume);
  rehearse->excludes(undo);
  Page::add(command, arguments->html, "write the record as a page, too");
  command.add_flag("--yes", arguments->yes, "do not ask at a terminal before beginning");
  command.footer(
      "Exit status: 0 done, 1 stopped, with what was undone, 2 wrong usage, 3 the daemon cannot be reached.");
}

Run add_cutover(Parser& command) {
  auto arguments = std::make_shared<CutoverArguments>();
  add_cutover_options(command, *arguments);
  command.add_option("--group", arguments->groups, "only this root, and others that are named so too")
      ->type_name("ROOT")
      ->allow_extra_args(false);
  return [arguments](const Options& options) { return cutover(options, *arguments); };
}

}  // namespace maildirsync::cli
