#include <algorithm>
#include <ctime>
#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/progress.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/report/drain_report.h"
#include "cli/report/format.h"
#include "common/os/printable.h"

// `drain` and `mirror`: a root's mode. A mirror that would undo what users did at the destination is refused by the
// agent, with the numbers; at a terminal they are a question.

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::string root;
  bool undoes = false;
  bool adopts = false;
  bool reports = false;
  double quiet_hours = 24;
};

/// Turns of the old mode end first, and a mirror is preceded by a comparison of all accounts: there is no end to wait
/// for.
tl::expected<Json, int> ask_for(const Options& options, const char* word, const Arguments& arguments) {
  ProgressBar bar(options);
  return ask(options,
             {{"command", word},
              {"root", arguments.root},
              {"undo_what_users_did", arguments.undoes},
              {"adopt", arguments.adopts}},
             0, [&](const Json& line) { show_verify_progress(bar, line); });
}

std::string text_of_undoing(const Json& would_undo) {
  std::string text;
  for (const auto& one : list_of(would_undo, "named")) {
    std::string counts;
    const auto add = [&](const char* key, const char* what) {
      if (const auto count = count_of(one, key); count > 0) {
        counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, what);
      }
    };
    add("flags", "flags");
    add("deletions", "deletions");
    add("moves", "moves");
    add("only_there", "only there");
    add("in_missing_folders", "in missing folders");
    add("control_files", "control files");
    add("uidlists", "UID lists");
    text += "  " + text_of(one, "account") + ": " + counts + '\n';
  }
  const auto named = list_of(would_undo, "named").size();
  const auto all = count_of(would_undo, "accounts");
  if (all > named) text += fmt::format("  and {} more\n", format_plural(all - named, "account"));
  return text;
}

bool is_confirmed() {
  std::cerr << "Undo all of it? [y/N] " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

int set_mode(const Options& options, const char* word, Arguments arguments) {
  auto answer = ask_for(options, word, arguments);
  if (!answer) return answer.error();
  const Json would_undo = object_of(*answer, "would_undo");
  const bool is_question = !flag_of(*answer, "ok") && !would_undo.empty() && !options.json &&
                           ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  if (is_question) {
    complain(text_of(*answer, "message"));
    std::cerr << text_of_undoing(would_undo);
    if (!is_confirmed()) {
      complain("nothing was changed");
      return k_exit_incomplete;
    }
    arguments.undoes = true;
    answer = ask_for(options, word, arguments);
    if (!answer) return answer.error();
  }
  const bool done = flag_of(*answer, "ok");
  if (options.json) {
    print(to_line(*answer));
  } else if (done) {
    print(text_of(*answer, "message") + '\n');
  } else {
    complain(text_of(*answer, "message"));
    std::cerr << text_of_undoing(object_of(*answer, "would_undo"));
  }
  return done ? k_exit_done : k_exit_incomplete;
}

/// The drained roots, of those that were asked for.
tl::expected<std::vector<std::string>, int> drained_roots(const Options& options, const std::string& wanted) {
  const auto status = ask(options, {{"command", "status"}});
  if (!status) return tl::unexpected(status.error());
  std::vector<std::string> drained;
  for (const auto& root : list_of(*status, "roots")) {
    const std::string name = text_of(root, "name");
    if (text_of(root, "mode") == "drain" && (wanted.empty() || wanted == name)) drained.push_back(name);
  }
  if (!drained.empty()) return drained;
  complain(wanted.empty() ? "no root is drained" : "root " + wanted + " is not drained");
  return tl::unexpected(k_exit_incomplete);
}

int report(const Options& options, const Arguments& arguments) {
  const auto roots = drained_roots(options, arguments.root);
  if (!roots) return roots.error();
  auto verified = [&] {
    ProgressBar bar(options);
    return ask(options, {{"command", "verify"}, {"account", ""}, {"roots", *roots}, {"deep", false}, {"repair", false}},
               0, [&](const Json& line) { show_verify_progress(bar, line); });
  }();
  if (!verified) return verified.error();
  const auto now = std::time(nullptr);
  const double wanted = arguments.quiet_hours * 3600;
  const bool safe = is_safe(*verified, now, wanted);
  if (options.json) {
    (*verified)["quiet_seconds"] = quiet_seconds(*verified, now);
    (*verified)["safe"] = safe;
    print(to_line(*verified));
  } else {
    print(drain_report(*verified, now, wanted, is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off));
  }
  return safe ? k_exit_done : k_exit_incomplete;
}

Run mode_command(Parser& command, const char* word, const std::shared_ptr<Arguments>& arguments) {
  command.add_flag(
      "--adopt", arguments->adopts,
      "take over a root that another agent has filled (problem foreign-agent); that one is held from then on");
  return [arguments, word](const Options& options) { return set_mode(options, word, *arguments); };
}

}  // namespace

Run add_drain(Parser& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("ROOT", arguments->root, "the root's name in agent.toml; with --report: only this one");
  command.add_flag("--report", arguments->reports,
                   "what came to the old server since its users moved, and whether it can be switched off");
  command.add_option("--quiet-hours", arguments->quiet_hours, "hours without mail after which it can be (24)")
      ->type_name("H")
      ->check(check_seconds)
      ->take_last();
  command.footer(
      "Kept on the disks of both sides before it answers, and over the loss of either. Exit status: 0 done, 1 refused; "
      "with --report: 0 safe to switch off, 1 not.");
  const Run drain = mode_command(command, "drain", arguments);
  return [arguments, drain](const Options& options) {
    if (arguments->reports) return report(options, *arguments);
    if (!arguments->root.empty()) return drain(options);
    complain("drain takes the name of a root; or --report");
    return k_exit_usage;
  };
}

Run add_mirror(Parser& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("ROOT", arguments->root, "the root's name in agent.toml")->required();
  command.add_flag("--undo-what-users-did", arguments->undoes,
                   "undo at the destination what users changed, removed and moved there since the drain");
  command.footer(
      "After a drain it first compares all accounts. Where users have changed something at the destination it says "
      "what "
      "it would undo and changes nothing, unless --undo-what-users-did is given, or you say yes at a terminal. Exit "
      "status: 0 done, 1 refused, with what it would undo.");
  return mode_command(command, "mirror", arguments);
}

}  // namespace maildirsync::cli
