#include <memory>

#include <fmt/format.h>

#include "cli/ask/ask.h"
#include "cli/ask/progress.h"
#include "cli/commands/commands.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

namespace {

/// The agent ends a flush in time by itself; only one that does not answer at all is given up.
constexpr double k_grace_seconds = 30;

struct Arguments {
  std::string glob;
  double timeout_seconds = 0;
  bool full = false;
};

/// The first accounts that have files which the source lacks, or (`whole`) that are such.
std::string first_extras(const Json& answer, bool whole) {
  std::string named;
  std::size_t count = 0;
  for (const auto& one : list_of(answer, "extras")) {
    if (flag_of(one, "whole") != whole) continue;
    if (++count > 3) return named + ", …";
    named += (named.empty() ? "" : ", ") + text_of(one, "account");
    if (!whole) named += fmt::format(": {}", count_of(one, "extra"));
  }
  return named;
}

/// What "complete" was found by, so that nobody takes it for more.
std::string looked_at_both(bool full) {
  return full ? "looked at: name, size and dates of each file on both sides (contents: maildirsync verify --deep)\n"
              : "looked at: each folder's stamps on both sides; a file altered in place at the destination changes "
                "none of "
                "them: flush --full or verify finds it\n";
}

std::string looked_at(const Json& answer, bool full) {
  const bool any_drained = count_of(answer, "drained_roots") > 0;
  if (any_drained && count_of(answer, "mirrored_roots") == 0)
    return "looked at: the source; what is at the destination of a drained root is its users'\n";
  return looked_at_both(full) +
         (any_drained ? "of drained roots, the source only: what is at their destination is their users'\n" : "");
}

std::string text_of_answer(const Json& answer, bool full) {
  std::string text;
  for (const auto& left_out : list_of(answer, "left_out"))
    text += "left out: " + left_out_text(left_out) + '\n';
  const std::string what = fmt::format("{}, {}, {}", format_plural(count_of(answer, "accounts"), "account"),
                                       format_plural(count_of(answer, "folders"), "folder"),
                                       format_plural(count_of(answer, "messages"), "message"));
  if (const auto extra = count_of(answer, "extra"); extra > 0) {
    text += fmt::format(
        "{} at the destination only ({}); maildirsync verify names them, and with --repair "
        "--aside-extra puts them aside\n",
        format_plural(extra, "file"), first_extras(answer, false));
  }
  if (const auto whole = count_of(answer, "extra_whole_accounts"); whole > 0) {
    text += fmt::format(
        "{} at the destination only ({}); a cutover stops at each: look at it, and move it away there, or name it in "
        "exclude of agent.toml\n",
        format_plural(whole, "account"), first_extras(answer, true));
  }
  const std::string elapsed = format_seconds(number_of(answer, "elapsed_seconds").value_or(0));
  return text + (flag_of(answer, "complete")
                     ? fmt::format("complete after {}: {}, all durable at the receiver\n", elapsed, what) +
                           looked_at(answer, full)
                     : fmt::format("incomplete after {}: {} in all\n", elapsed, what));
}

int flush(const Options& options, const Arguments& arguments) {
  const double wait = arguments.timeout_seconds > 0 ? arguments.timeout_seconds + k_grace_seconds : 0;
  const auto answer = [&] {
    ProgressBar bar(options);
    return ask(options,
               {{"command", "flush"},
                {"account", arguments.glob},
                {"timeout", arguments.timeout_seconds},
                {"full", arguments.full}},
               wait, [&](const Json& line) { show_flush_progress(bar, line); });
  }();
  if (!answer) return answer.error();
  print(options.json ? to_line(*answer) : text_of_answer(*answer, arguments.full));
  return flag_of(*answer, "complete") ? k_exit_done : k_exit_incomplete;
}

}  // namespace

Run add_flush(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_accounts(arguments->glob);
  command.add_option("--timeout", arguments->timeout_seconds, "give up after so many seconds; 0: never")
      ->type_name("S")
      ->check(check_seconds)
      ->take_last();
  command.add_flag("--full", arguments->full,
                   "look at every file on both sides, and not at the folders' stamps only: finds what was altered in "
                   "place there, too");
  return [arguments](const Options& options) { return flush(options, *arguments); };
}

}  // namespace maildirsync::cli
