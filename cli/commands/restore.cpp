#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

namespace {

constexpr const char* k_receiver_socket = "/run/maildirsyncd/control.sock";
constexpr double k_no_end = 0;

struct Arguments {
  std::string glob, since, root;
  bool list = false;
};

std::string table_of(const Options& options, const Json& answer) {
  using Align = Table::Align;
  Table table({{"deleted"}, {"account"}, {"root"}, {"messages", Align::right}, {"size", Align::right}});
  for (const auto& one : list_of(answer, "accounts")) {
    table.add({{text_of(one, "date")},
               {text_of(one, "account")},
               {text_of(one, "root")},
               {format_count(count_of(one, "messages"))},
               {format_bytes(static_cast<double>(count_of(one, "bytes")))}});
  }
  return table.text(is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off);
}

std::string lines_of(const Json& answer, const char* key, const std::string& heading) {
  std::string text;
  for (const auto& line : list_of(answer, key))
    text += "  " + (line.is_string() ? line.get<std::string>() : "") + '\n';
  return text.empty() ? "" : heading + '\n' + text;
}

std::string report(const Json& answer) {
  std::string text = fmt::format("restored: {}, {}\n", format_plural(count_of(answer, "messages"), "message"),
                                 format_bytes(static_cast<double>(count_of(answer, "bytes"))));
  if (const auto present = count_of(answer, "present"); present > 0) {
    text += fmt::format("{} were there already, and stay in the trash, too.\n", format_plural(present, "message"));
  }
  if (const auto lost = count_of(answer, "new_uids"); lost > 0) {
    text += fmt::format("{} will get another UID: their folder was made anew since, or their UID is another's.\n",
                        format_plural(lost, "message"));
  }
  if (const auto marked = count_of(answer, "marked_deleted"); marked > 0) {
    text += fmt::format(
        "{} still marked \\Deleted, as when they were expunged, and would go with their user's next expunge: doveadm "
        "flags remove -u USER '\\Deleted' mailbox '*' all\n",
        marked == 1 ? "1 message is" : format_count(marked) + " messages are");
  }
  text += lines_of(answer, "beside", "Under another name, for another message has theirs:");
  text += lines_of(answer, "in_trash", "Not restored:");
  if (count_of(answer, "messages") > 0) {
    text +=
        "While an agent mirrors the root, what was restored is \"extra\" to it: it is reported and left alone, and "
        "the\n"
        "source's uidlist takes the place of this one when it changes there. What the source still has came back by\n"
        "itself. After the cutover (maildirsync drain) nothing touches it.\n";
  }
  return text;
}

int restore(Options options, const Arguments& arguments) {
  if (options.control.empty()) options.control = k_receiver_socket;
  const auto answer = ask(options,
                          {{"command", "restore"},
                           {"account", arguments.glob},
                           {"since", arguments.since},
                           {"root", arguments.root},
                           {"list", arguments.list}},
                          k_no_end);
  if (!answer) return answer.error();
  const bool complete = arguments.list || flag_of(*answer, "complete");
  if (options.json) {
    print(to_line(*answer));
  } else if (list_of(*answer, "accounts").empty() && complete) {
    print("the trash is empty\n");
  } else if (arguments.list) {
    print(table_of(options, *answer));
  } else {
    print(report(*answer));
  }
  return complete ? k_exit_done : k_exit_incomplete;
}

}  // namespace

Run add_restore(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_accounts(arguments->glob, "only accounts that match; without it, all");
  command.add_option("--since", arguments->since, "only what was deleted on that day (UTC) or later")
      ->type_name("YYYY-MM-DD")
      ->check(check_glob);
  command.add_option("--root", arguments->root, "only of that root")->type_name("NAME")->check(check_glob);
  command.add_flag("--list", arguments->list, "only say what is in the trash");
  command.footer(
      "On the new mail server: puts back what was deleted there in masses or with its account, with UIDs, flags and "
      "dates. Exit status: 0 all of it is back, 1 something is not, or not as it was.");
  return [arguments](const Options& options) { return restore(options, *arguments); };
}

}  // namespace maildirsync::cli
