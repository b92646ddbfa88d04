#include "cli/setup/files.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_max_output = 16 * 1024 * 1024;

/// Mail servers keep their tools in sbin, which is in no ordinary user's PATH.
std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("PATH=") && !text.starts_with("LC_") && !text.starts_with("LANG"))
      variables.emplace_back(text);
  }
  const char* path = std::getenv("PATH");
  variables.push_back("PATH=" + std::string(path == nullptr ? "" : path) +
                      ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  variables.emplace_back("LC_ALL=C");
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (auto& string : strings)
    all.push_back(string.data());
  all.push_back(nullptr);
  return all;
}

/// posix_spawnp looks along our own PATH, which lacks sbin.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::string folders = std::string(path == nullptr ? "" : path) + ":/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";
  while (!folders.empty()) {
    const std::size_t colon = folders.find(':');
    const std::string candidate = folders.substr(0, colon) + "/" + name;
    if (candidate.front() == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    folders = colon == std::string::npos ? "" : folders.substr(colon + 1);
  }
  return "";
}

/// The process, or -1. `output` -1: ours.
pid_t spawn(std::vector<std::string> command, int output) {
  const std::string program = find_program(command.front());
  if (program.empty()) return -1;
  auto variables = environment();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (output >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  pid_t process = -1;
  const int error =
      ::posix_spawn(&process, program.c_str(), &actions, nullptr, pointers(command).data(), pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? process : -1;
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

Result<> make_directories(const std::string& path) {
  for (std::size_t slash = 1; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST)
      return os_failure(part, "the directory can't be made", errno);
  }
  return {};
}

Result<> replace_file(const std::string& path, std::string_view text,
                      const std::function<Result<>(const std::string& path)>& check) {
  struct stat old {};
  const bool existed = ::stat(path.c_str(), &old) == 0;
  const std::string aside = path + ".new";
  ::unlink(aside.c_str());
  const os::Fd fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return os_failure(aside, "can't be made", errno);
  const auto give_up = [&](Error error) {
    ::unlink(aside.c_str());
    return Failure(std::move(error));
  };
  if (existed && ::fchown(fd.get(), old.st_uid, old.st_gid) != 0 && errno != EPERM)
    return give_up(os_error(aside, "can't get the owner of the old file", errno));
  if (::fchmod(fd.get(), existed ? old.st_mode & 07777 : 0644) != 0)
    return give_up(os_error(aside, "its mode can't be set", errno));
  if (auto written = os::write_all(fd.get(), text, aside); !written) return give_up(written.error());
  if (::fsync(fd.get()) != 0) return give_up(os_error(aside, "can't be synced", errno));
  if (check) {
    if (auto good = check(aside); !good) return give_up(good.error());
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) return give_up(os_error(path, "can't be replaced", errno));
  return os::sync_directory(os::directory_of(path));
}

std::string read_to_end(int fd) {
  std::string output;
  std::array<char, 65536> chunk{};
  for (;;) {
    const ssize_t size = ::read(fd, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return output;
    if (output.size() < k_max_output) output.append(chunk.data(), static_cast<std::size_t>(size));
  }
}

std::optional<std::string> output_of(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  const os::Fd reader(ends[0]);
  os::Fd writer(ends[1]);
  const pid_t process = spawn(command, writer.get());
  writer.reset();
  if (process < 0) return std::nullopt;
  std::string output = read_to_end(reader.get());
  return wait_for(process) == 0 ? std::optional(std::move(output)) : std::nullopt;
}

int run_program(const std::vector<std::string>& command) {
  const pid_t process = spawn(command, -1);
  return process < 0 ? 127 : wait_for(process);
}

}  // namespace maildirsync::cli
