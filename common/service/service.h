#pragma once

#include <chrono>
#include <string>

namespace maildirsync::service {

/// sd_notify(3) messages; nothing happens when systemd did not start us.
void notify_ready();
void notify_reloading();
void notify_stopping();
void notify_status(const std::string& line);
void notify_watchdog();
/// Half of WatchdogSec, or zero when there is no watchdog.
std::chrono::microseconds watchdog_interval();

/// Sets the log up: stderr, or the journal when systemd started us (JOURNAL_STREAM). Level as in the configuration.
/// Lines are written by log.h and event.h.
void start_log(const std::string& level);
/// Whether the log goes to the journal.
bool is_log_the_journal();
/// False for an unknown level.
bool is_log_level(const std::string& level);

/// Raises the soft limit of open files to the hard one.
void raise_file_limit();

}  // namespace maildirsync::service
