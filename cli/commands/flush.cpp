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

std::string text_of_answer(const Json& answer) {
  std::string text;
  for (const auto& left_out : list_of(answer, "left_out"))
    text += "left out: " + left_out_text(left_out) + '\n';
  const std::string what = fmt::format("{}, {}, {}", format_plural(count_of(answer, "accounts"), "account"),
                                       format_plural(count_of(answer, "folders"), "folder"),
                                       format_plural(count_of(answer, "messages"), "message"));
  if (const auto extra = count_of(answer, "extra"); extra > 0) {
    std::string where;
    std::size_t named = 0;
    for (const auto& one : list_of(answer, "extras")) {
      if (++named > 3) break;
      where += (where.empty() ? "" : ", ") + fmt::format("{}: {}", text_of(one, "account"), count_of(one, "extra"));
    }
    const auto accounts = list_of(answer, "extras").size();
    text += fmt::format(
        "{} at the destination only ({}{}); maildirsync verify names them, and with --repair "
        "--aside-extra puts them aside\n",
        format_plural(extra, "file"), where, accounts > 3 ? ", …" : "");
  }
  const std::string elapsed = format_seconds(number_of(answer, "elapsed_seconds").value_or(0));
  return text + (flag_of(answer, "complete")
                     ? fmt::format("complete after {}: {}, all durable at the receiver\n", elapsed, what)
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
  print(options.json ? to_line(*answer) : text_of_answer(*answer));
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
  command.add_flag("--full", arguments->full, "look at every message and compare with the listing of the destination");
  return [arguments](const Options& options) { return flush(options, *arguments); };
}

}  // namespace maildirsync::cli
