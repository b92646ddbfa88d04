#include "cli/cutover/shell.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/child.h"
#include "common/os/fd.h"
#include "common/os/pipe.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double k_grace_seconds = 10;

/// The command as the shell's own text begins once its caller has said so; a caller that is gone says nothing, and then
/// it does not begin.
constexpr const char* k_once_told = "read -r told <&3 || exit 125; exec 3<&-; eval \"$1\"";

/// The command waits for a line from `told`.
Result<pid_t> start(const std::string& command, int told) {
  os::Launch shell{.words = {"sh", "-c", k_once_told, "sh", command}};
  shell.program = "/bin/sh";
  shell.output = STDERR_FILENO;
  shell.third = told;
  shell.usual_signals = {SIGINT, SIGTERM, SIGHUP};
  shell.leads_group = true;
  return os::start(std::move(shell));
}

enum class Wait { ended, late, cancelled };

Wait wait_for(int pidfd, int cancel_fd, std::optional<double> seconds) {
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(std::clamp(seconds.value_or(0), 0.0, 1e9)));
  for (;;) {
    std::array descriptors{pollfd{pidfd, POLLIN, 0}, pollfd{cancel_fd, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    const int timeout = seconds ? static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)) : -1;
    const int ready = ::poll(descriptors.data(), descriptors.size(), timeout);
    if (ready < 0 && errno != EINTR) return Wait::ended;
    if (ready > 0 && descriptors[0].revents != 0) return Wait::ended;
    if (ready > 0) return Wait::cancelled;
    if (ready == 0 && left <= 0) return Wait::late;
  }
}

ShellEnd reap(pid_t pid) {
  const int status = os::wait_for(pid);
  if (WIFSIGNALED(status)) return {false, fmt::format("ended by signal {}", WTERMSIG(status))};
  if (WEXITSTATUS(status) != 0) return {false, fmt::format("exit status {}", WEXITSTATUS(status))};
  return {true, ""};
}

}  // namespace

ShellEnd run_shell(const std::string& command, int cancel_fd, std::optional<double> timeout_seconds,
                   const std::function<void(pid_t)>& began) {
  auto told = os::make_pipe();
  if (!told) return {false, told.error().message()};
  const auto started = start(command, told->read.get());
  if (!started) return {false, started.error().message()};
  const pid_t pid = *started;
  told->read.reset();
  if (began) began(pid);
  // Where it cannot be told, it is gone, or goes now: that is its end.
  if (::write(told->write.get(), "\n", 1) != 1) ::kill(-pid, SIGKILL);
  told->write.reset();
  const os::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // glibc 2.36 declares it for C only
  if (!pidfd) return reap(pid);  // a kernel before 5.3: it is waited for to the end
  const Wait wait = wait_for(pidfd.get(), cancel_fd, timeout_seconds);
  if (wait == Wait::ended) return reap(pid);
  ::kill(-pid, SIGTERM);
  if (wait_for(pidfd.get(), -1, k_grace_seconds) != Wait::ended) ::kill(-pid, SIGKILL);
  reap(pid);
  return {false, wait == Wait::cancelled ? "interrupted" : "not done in time"};
}

}  // namespace maildirsync::cli
