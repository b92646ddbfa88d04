#include "cli/cutover/shell.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/fd.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double k_grace_seconds = 10;

/// The command as the shell's own text begins once its caller has said so; a caller that is gone says nothing, and then
/// it does not begin.
constexpr const char* k_once_told = "read -r told <&3 || exit 125; exec 3<&-; eval \"$1\"";

/// 0 or an errno. The command waits for a line from `told`.
int spawn(const std::string& command, int told, pid_t& pid) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_init(&files);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    sigaddset(&usual, number);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawn_file_actions_adddup2(&files, told, 3);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  std::string shell = "sh", option = "-c", once_told = k_once_told, text = command;
  const std::array<char*, 6> arguments{shell.data(), option.data(), once_told.data(),
                                       shell.data(), text.data(),   nullptr};
  const int error = ::posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  return error;
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
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {false, fmt::format("ended by signal {}", WTERMSIG(status))};
  if (WEXITSTATUS(status) != 0) return {false, fmt::format("exit status {}", WEXITSTATUS(status))};
  return {true, ""};
}

}  // namespace

ShellEnd run_shell(const std::string& command, int cancel_fd, std::optional<double> timeout_seconds,
                   const std::function<void(pid_t)>& began) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {false, std::string("no pipe can be made: ") + std::strerror(errno)};
  os::Fd told(ends[0]), tells(ends[1]);
  pid_t pid = 0;
  if (const int error = spawn(command, told.get(), pid); error != 0) {
    return {false, std::string("/bin/sh cannot be run: ") + std::strerror(error)};
  }
  told = os::Fd();
  if (began) began(pid);
  // Where it cannot be told, it is gone, or goes now: that is its end.
  if (::write(tells.get(), "\n", 1) != 1) ::kill(-pid, SIGKILL);
  tells = os::Fd();
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
