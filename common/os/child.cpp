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

#include "common/os/fd.h"

namespace maildirsync::os {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_most_output = 4 * 1024 * 1024;

/// The process, or -1.
pid_t spawn(std::vector<std::string> command, int output) {
  std::vector<char*> words;
  for (auto& word : command)
    words.push_back(word.data());
  words.push_back(nullptr);
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::string locale = "LC_ALL=C";
  std::array<char*, 3> variables{path.data(), locale.data(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  ::sigemptyset(&none);
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = -1;
  const int error = ::posix_spawn(&process, words[0], &files, &attributes, words.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  return error == 0 ? process : -1;
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

ChildOutput output_within(const std::vector<std::string>& command, std::chrono::milliseconds patience) {
  ChildOutput child;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return child;
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t process = spawn(command, writer.get());
  writer.reset();
  if (process < 0) return child;
  const bool ended = read_until(reader.get(), Clock::now() + patience, child.text);
  if (!ended) ::kill(process, SIGKILL);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  child.in_time = ended && WIFEXITED(status);
  child.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return child;
}

}  // namespace maildirsync::os
