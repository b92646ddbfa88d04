#include "common/service/service.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "common/os/printable.h"
#include "common/service/log.h"

namespace maildirsync::service {

namespace {

constexpr const char* k_logger = "maildirsync";

std::optional<spdlog::level::level_enum> parse_level(const std::string& level) {
  static const std::array<std::pair<const char*, spdlog::level::level_enum>, 5> k_levels{
      {{"trace", spdlog::level::trace},
       {"debug", spdlog::level::debug},
       {"info", spdlog::level::info},
       {"warning", spdlog::level::warn},
       {"error", spdlog::level::err}}};
  for (const auto& [word, value] : k_levels) {
    if (level == word) return value;
  }
  return std::nullopt;
}

/// Names of files come from elsewhere: none may end a line or steer a terminal.
class PrintableMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    const std::string text = os::printable({message.payload.data(), message.payload.size()});
    line.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<PrintableMessage>(); }
};

std::unique_ptr<spdlog::formatter> formatter(const char* pattern, const char* end_of_line) {
  auto made = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::local, end_of_line);
  made->add_flag<PrintableMessage>('*');
  made->set_pattern(pattern);
  return made;
}

/// JOURNAL_STREAM names device and inode of the journal's socket; the variable is inherited, so it counts only while
/// stderr still is that file (systemd.exec(5)).
bool is_stderr_the_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  unsigned long long device = 0;
  unsigned long long inode = 0;
  struct stat file {};
  return stream != nullptr && std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
         ::fstat(STDERR_FILENO, &file) == 0 && file.st_dev == device && file.st_ino == inode;
}

spdlog::sink_ptr make_sink() {
  spdlog::sink_ptr sink;
  if (is_log_the_journal()) {  // which has times and levels of its own
    sink = std::make_shared<spdlog::sinks::systemd_sink_mt>(program_invocation_short_name, true);
    sink->set_formatter(formatter("%*", ""));
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    sink->set_formatter(formatter("%Y-%m-%dT%H:%M:%S.%e%z %l %*", "\n"));
  }
  return sink;
}

}  // namespace

void notify_ready() {
  sd_notify(0, "READY=1");
}

void notify_reloading() {
  // Type=notify-reload tells this reload from an earlier one by the time (sd_notify(3)).
  struct timespec now {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
             static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000);
}

void notify_stopping() {
  sd_notify(0, "STOPPING=1");
}

void notify_status(const std::string& line) {
  sd_notify(0, ("STATUS=" + os::printable(line)).c_str());
}

void notify_watchdog() {
  sd_notify(0, "WATCHDOG=1");
}

std::chrono::microseconds watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::chrono::microseconds(0);
  return std::chrono::microseconds(microseconds / 2);
}

void start_log(const std::string& level) {
  const auto value = parse_level(level).value_or(spdlog::level::info);
  // A second call (a reload) only changes the level: other threads may be using the logger.
  if (spdlog::default_logger()->name() != k_logger) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(k_logger, make_sink()));
  }
  spdlog::set_level(value);
}

bool is_log_the_journal() {
  static const bool is = is_stderr_the_journal();
  return is;
}

bool is_log_level(const std::string& level) {
  return parse_level(level).has_value();
}

void raise_file_limit() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log_warning("file-limit-kept detail=\"{}\"", std::strerror(errno));
  }
}

}  // namespace maildirsync::service
