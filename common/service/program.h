#pragma once

#include <functional>
#include <optional>
#include <string>

#include <asio/io_context.hpp>

#include "common/os/result.h"

namespace maildirsync::service {

/// What a daemon's command line said.
struct Options {
  std::string config;
  std::string log_level;  ///< "" when not given
  std::string user;       ///< whom to become when root starts the daemon; "" for nobody
  bool check_config = false;
  bool reload = false;  ///< only have the running daemon read its configuration anew
};

inline constexpr int k_exit_configuration = 2;

/// Reads the command line of a daemon. An exit status instead when that is all there is to do (--help, --version) or
/// when it is wrong (2).
struct Parsed {
  Options options;
  std::optional<int> exit_status;
};
Parsed parse_options(int argc, char** argv, const std::string& name, const std::string& description,
                     const std::string& default_config);

/// Why a daemon could not start, as one sentence; of what failed in its state directory, with what to do about it.
std::string start_failure(const Error& error, const std::string& state_dir);

/// What a running daemon is asked for; all called on the event loop's thread.
struct Hooks {
  std::function<void()> reload;          ///< SIGHUP
  std::function<std::string()> summary;  ///< a line for systemd, once a second
  std::function<void()> each_second;
};

/// From now on SIGTERM, SIGINT and SIGHUP wait until run() takes them: one that comes while a daemon starts neither
/// kills it nor is lost. Must be called before any thread is started.
void hold_signals();

/// Runs the loop until SIGTERM or SIGINT, and speaks with systemd meanwhile: ready, status, watchdog, reloading. A loop
/// that hangs feeds no watchdog.
void run(asio::io_context& loop, const Hooks& hooks);

}  // namespace maildirsync::service
