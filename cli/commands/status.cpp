#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/terminal.h"
#include "cli/commands/commands.h"
#include "cli/report/status_text.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Arguments {
  bool watch = false;
  std::string glob;
  bool all = false;
  Thresholds thresholds;

  Problems problems() const { return all ? Problems::all : Problems::first_ones; }
};

tl::expected<Json, Refusal> sample(const Options& options, const Arguments& arguments) {
  Json request = {{"command", "status"}};
  if (!arguments.glob.empty()) request["account"] = arguments.glob;
  auto status = try_ask(options, request);
  // A receiver knows of no accounts, and shows all it has.
  if (status && !arguments.glob.empty() && status->contains("accounts")) (*status)["account_glob"] = arguments.glob;
  return status;
}

/// Nagios shows what a plugin prints on stdout, also when the daemon is away.
void print_unreachable(const Options& options) {
  if (!options.json) print("MAILDIRSYNC UNKNOWN - no answer on " + socket_of(options) + '\n');
}

int show_once(const Options& options, const Arguments& arguments) {
  const auto status = sample(options, arguments);
  if (!status) {
    complain(status.error().sentence);
    if (status.error().exit_status == k_exit_unreachable) print_unreachable(options);
    return status.error().exit_status;
  }
  const Colour colour = is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off;
  print(options.json ? to_line(*status)
                     : status_text(*status, arguments.thresholds, std::nullopt, arguments.problems(), colour));
  return exit_status(*status, arguments.thresholds);
}

/// Over the last picture, no more lines than there are rows: what scrolled could not be painted over.
void paint_over(const std::string& text) {
  const std::size_t rows = terminal_size(STDOUT_FILENO).rows;
  std::string screen = "\x1b[H";
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (++line == rows) {
      screen += "… (maildirsync status shows all)\x1b[K";
      break;
    }
    screen += text.substr(at, end - at) + "\x1b[K\n";
    at = end + 1;
  }
  // Long lines are cut, not wrapped, while the picture is painted.
  print("\x1b[?7l" + screen + "\x1b[J\x1b[?7h");
}

/// Shows a sample each second; ends when the daemon goes away, or on a terminal only with the terminal's user.
class Watch {
 public:
  Watch(const Options& options, const Arguments& arguments)
      : options_(options), arguments_(arguments), in_place_(is_decorated(STDOUT_FILENO, options)) {}

  int run() {
    for (auto next = Clock::now();; next += 1s) {
      const auto status = sample(options_, arguments_);
      if (status) {
        show(*status);
      } else if (!in_place_ || !before_) {
        complain(status.error().sentence);
        return status.error().exit_status;
      } else {
        paint_over(paint(Colour::on, Style::bad, "MAILDIRSYNC UNKNOWN - no answer on " + socket_of(options_)) +
                   "\n\nWhat was known last:\n\n" + last_text_);
      }
      if (!std::cout) return k_exit_incomplete;  // nobody reads any more
      next = std::max(next, Clock::now() - 1s);
      std::this_thread::sleep_until(next + 1s);
    }
  }

 private:
  void show(Json status) {
    const auto now = Clock::now();
    const std::optional<Rates> rates =
        before_ ? rates_between(*before_, status, std::chrono::duration<double>(now - taken_).count()) : std::nullopt;
    if (options_.json) {
      show_json(status, rates);
    } else if (in_place_) {
      if (!before_) print("\x1b[2J");
      last_text_ = status_text(status, arguments_.thresholds, rates, arguments_.problems(), Colour::on);
      paint_over(last_text_);
    } else {
      print(status_text(status, arguments_.thresholds, rates, arguments_.problems(), Colour::off) + '\n');
    }
    before_ = std::move(status);
    taken_ = now;
  }

  static void show_json(Json status, const std::optional<Rates>& rates) {
    if (rates) {
      status["rates"] = {{"messages_per_second", rates->messages},
                         {"bytes_source_per_second", rates->bytes_source},
                         {"bytes_wire_per_second", rates->bytes_wire}};
    }
    print(to_line(status));
  }

  const Options& options_;
  const Arguments& arguments_;
  bool in_place_;
  std::optional<Json> before_;
  std::string last_text_;
  Clock::time_point taken_;
};

}  // namespace

Run add_status(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_flag("--watch", arguments->watch, "again each second, with rates");
  command
      .add_option("--warn-lag", arguments->thresholds.warn_lag,
                  fmt::format("seconds of lag from which on the exit status is 1 (default {})", k_warn_lag_seconds))
      ->type_name("S")
      ->check(check_seconds);
  command
      .add_option("--crit-lag", arguments->thresholds.crit_lag,
                  fmt::format("seconds of lag from which on it is 2 (default {})", k_crit_lag_seconds))
      ->type_name("S")
      ->check(check_seconds);
  command.add_accounts(arguments->glob, "only the accounts that match, and their problems");
  command.add_flag("--all", arguments->all, "all problems, not only the first three of each kind");
  command.footer(
      "Exit status: 0 fine, 1 lag or a problem, 2 much lag, held, blocked or disconnected, 3 the daemon cannot be "
      "reached.\n"
      "A lag that is not known yet (the first pass is not finished) is fine unless --warn-lag or --crit-lag is given.");
  return [arguments](const Options& options) {
    if (arguments->thresholds.warn() > arguments->thresholds.crit()) {
      complain("--warn-lag is above --crit-lag");
      return k_exit_usage;
    }
    return arguments->watch ? Watch(options, *arguments).run() : show_once(options, *arguments);
  };
}

}  // namespace maildirsync::cli
