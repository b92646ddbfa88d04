#include "common/service/program.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include <CLI/CLI.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <pthread.h>
#include <unistd.h>

#include "common/service/event.h"
#include "common/service/log.h"
#include "common/service/memory.h"
#include "common/service/service.h"

namespace maildirsync::service {

Parsed parse_options(int argc, char** argv, const std::string& name, const std::string& description,
                     const std::string& default_config) {
  Parsed parsed;
  parsed.options.config = default_config;
  CLI::App app{description, name};
  app.add_option("--config", parsed.options.config, "configuration file")->capture_default_str();
  app.add_flag("--check-config", parsed.options.check_config,
               "read and check the configuration, then end: 0 good, 2 not");
  app.add_flag("--reload", parsed.options.reload,
               "have the running daemon read its configuration anew, then end: 0 it does, 2 it refuses, 3 no answer");
  app.add_option("--user", parsed.options.user,
                 "where no systemd does it: started by root, become this user and keep only what the work needs");
  app.add_option("--log-level", parsed.options.log_level, "trace, debug, info, warning or error; overrides [log] level")
      ->check([](const std::string& level) { return is_log_level(level) ? "" : "is not a log level"; });
  app.set_version_flag("--version", name + " " + MAILDIRSYNC_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_status = app.exit(error) == 0 ? 0 : k_exit_configuration;
  }
  return parsed;
}

std::string start_failure(const Error& error, const std::string& state_dir) {
  const std::string sentence = error.message();
  if (!(error.path + "/").starts_with(state_dir + "/")) return sentence;
  switch (error.error_number) {
    case ENOSPC:
    case EDQUOT:
      return sentence + "; make space there, or put state_dir elsewhere";
    case EACCES:
    case EPERM:
      return sentence + "; it has to belong to the service's user: chown -R " + std::to_string(::geteuid()) + " " +
             state_dir;
    case EROFS:
      return sentence + "; mount it writable, let the unit write there (ReadWritePaths=), or put state_dir elsewhere";
    default:
      return sentence;
  }
}

namespace {

constexpr std::uint64_t k_between_looks_at_memory = 5;
constexpr std::chrono::milliseconds k_most_to_end{4500};

sigset_t signals_of_a_daemon() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&signals, signal);
  return signals;
}

class Runner {
 public:
  Runner(asio::io_context& loop, const Hooks& hooks)
      : loop_(loop), hooks_(hooks), signals_(loop, SIGTERM, SIGINT, SIGHUP), watchdog_(loop), second_(loop) {}

  void run() {
    wait_for_signal();
    const sigset_t signals = signals_of_a_daemon();
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    notify_ready();
    tell_watchdog();
    tell_status();
    loop_.run();
    notify_stopping();
  }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](const asio::error_code& error, int signal) {
      if (error) return;
      if (signal != SIGHUP) {
        end_in_time();
        return loop_.stop();
      }
      notify_reloading();
      hooks_.reload();
      notify_ready();
      wait_for_signal();
    });
  }

  /// Whatever hangs (a disk, a file system of the network, a name service, the other side), the process ends: all that
  /// was acknowledged is durable, and the rest is done again by the next run.
  static void end_in_time() {
    std::thread([] {
      std::this_thread::sleep_for(k_most_to_end);
      service::log_warning(
          "stop-cut-short seconds={:.1f} action=\"what was under way is done again after the next start\"",
          std::chrono::duration<double>(k_most_to_end).count());
      service::flush_log();
      ::_exit(0);
    }).detach();
  }

  void tell_watchdog() {
    const auto interval = watchdog_interval();
    if (interval.count() == 0) return;
    notify_watchdog();
    watchdog_.expires_after(interval);
    watchdog_.async_wait([this](const asio::error_code& error) {
      if (!error) tell_watchdog();
    });
  }

  void tell_status() {
    notify_status(hooks_.summary());
    hooks_.each_second();
    report_suppressed_events();
    if (++seconds_ % k_between_looks_at_memory == 0) free_memory_.give_back();
    second_.expires_after(std::chrono::seconds(1));
    second_.async_wait([this](const asio::error_code& error) {
      if (!error) tell_status();
    });
  }

  asio::io_context& loop_;
  const Hooks& hooks_;
  asio::signal_set signals_;
  asio::steady_timer watchdog_, second_;
  std::uint64_t seconds_ = 0;
  FreeMemory free_memory_;
};

}  // namespace

void hold_signals() {
  const sigset_t signals = signals_of_a_daemon();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void run(asio::io_context& loop, const Hooks& hooks) {
  Runner(loop, hooks).run();
}

}  // namespace maildirsync::service
