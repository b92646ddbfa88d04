#include "common/os/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/pipe.h"

namespace maildirsync::os {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_most_output = 4 * 1024 * 1024;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (auto& string : strings)
    all.push_back(string.data());
  all.push_back(nullptr);
  return all;
}

void give(posix_spawn_file_actions_t& files, int ours, int its, int flags) {
  if (ours == Launch::k_nothing) {
    ::posix_spawn_file_actions_addopen(&files, its, "/dev/null", flags, 0);
  } else if (ours != its || ::fcntl(ours, F_GETFD) == FD_CLOEXEC) {
    ::posix_spawn_file_actions_adddup2(&files, ours, its);
  }
}

/// Until the pipe's end; false when the time is over first.
bool read_until(int fd, Clock::time_point end, std::string& text) {
  std::array<char, 16384> chunk{};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd ready{fd, POLLIN, 0};
    const int count = left <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(left));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    const ssize_t size = ::read(fd, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size == 0;
    text.append(chunk.data(), std::min(static_cast<std::size_t>(size), k_most_output - text.size()));
  }
}

}  // namespace

Result<pid_t> start(Launch launch) {
  const std::string program = launch.program.empty() ? launch.words.front() : launch.program;
  auto words = pointers(launch.words);
  std::vector<char*> variables;
  if (launch.environment) variables = pointers(*launch.environment);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  for (const int signal : launch.usual_signals)
    sigaddset(&usual, signal);
  const int group = launch.leads_group ? POSIX_SPAWN_SETPGROUP : 0;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  if (launch.third != Launch::k_nothing) ::posix_spawn_file_actions_adddup2(&files, launch.third, 3);
  give(files, launch.input, STDIN_FILENO, O_RDONLY);
  give(files, launch.output, STDOUT_FILENO, O_WRONLY);
  give(files, launch.errors, STDERR_FILENO, O_WRONLY);
  pid_t process = -1;
  const int error = ::posix_spawnp(&process, program.c_str(), &files, &attributes, words.data(),
                                   launch.environment ? variables.data() : environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return os_failure(program, "cannot be run", error);
  return process;
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

ChildOutput output_within(const std::vector<std::string>& command, std::chrono::milliseconds patience) {
  ChildOutput child;
  auto pipe = make_pipe();
  if (!pipe) return child;
  Launch launch{.words = command};
  launch.output = pipe->write.get();
  launch.errors = Launch::k_nothing;
  launch.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  const auto process = start(std::move(launch));
  pipe->write.reset();
  if (!process) return child;
  const bool ended = read_until(pipe->read.get(), Clock::now() + patience, child.text);
  if (!ended) ::kill(*process, SIGKILL);
  const int status = wait_for(*process);
  child.in_time = ended && WIFEXITED(status);
  child.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return child;
}

}  // namespace maildirsync::os
