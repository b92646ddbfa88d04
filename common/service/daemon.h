#pragma once

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <sys/capability.h>

#include "common/control/server.h"
#include "common/os/result.h"
#include "common/service/configuration.h"
#include "common/service/program.h"

namespace maildirsync::service {

/// What the main functions of the daemons differ in, besides their Program.
struct Daemon {
  std::string name, description;
  std::string config;                   ///< the file where none is named
  std::vector<cap_value_t> keeps = {};  ///< of root's capabilities, with --user
};

/// To stderr, and to systemd too: `systemctl status` shows no line of the log that is older than the wait for the next
/// try. The exit status of a daemon that does not start.
int complain(const Daemon& daemon, const std::string& sentence);

/// All that comes before the first thread: log, limits, user, heap, signals.
Result<> prepare(const Daemon& daemon, const Options& options, const std::string& configured_level,
                 const std::string& state_dir, const std::string& control);

/// Makes a daemon's state_dir, mode 0700, if it is missing.
Result<> make_state_directory(const std::string& path);

/// The answer to the command "reload".
void answer_reload(control::Reply& reply, const std::string& file, const Result<>& done);

/// A daemon's main function. Program has `static Result<Config> read(file)`, `static Result<> check(const Config&)`
/// (what --check-config finds out beyond the file itself), a constructor from Options, `Result<> start(Config)`, and
/// `run()`, which returns when the daemon has ended.
template <class Program>
int run_daemon(int argc, char** argv, const Daemon& daemon) try {
  auto [options, exit_status] = parse_options(argc, argv, daemon.name, daemon.description, daemon.config);
  if (exit_status) return *exit_status;
  auto config = Program::read(options.config);
  if (!config) return complain(daemon, config.error().message());
  if (options.check_config) {
    if (const auto good = Program::check(*config); !good) return complain(daemon, good.error().message());
    std::cout << options.config << ": good\n";
    return 0;
  }
  if (options.reload) return ask_to_reload(daemon.name, config->control);
  const std::string state_dir = config->state_dir;
  if (const auto ready = prepare(daemon, options, config->log.level, state_dir, config->control); !ready)
    return complain(daemon, ready.error().message());
  Program program(std::move(options));
  if (const auto started = program.start(std::move(*config)); !started)
    return complain(daemon, start_failure(started.error(), state_dir));
  program.run();
  return 0;
} catch (const std::exception& exception) {
  std::cerr << daemon.name << ": " << exception.what() << '\n';
  return 1;
}

}  // namespace maildirsync::service
