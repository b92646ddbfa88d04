#include "cli/setup/files.h"

#include <cerrno>
#include <cstdlib>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/child.h"
#include "common/os/pipe.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_max_output = 16 * 1024 * 1024;

/// Our own PATH, and where mail servers keep their tools: sbin is in no ordinary user's.
std::string search_path() {
  const char* path = std::getenv("PATH");
  return std::string(path == nullptr ? "" : path) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

std::vector<std::string> environment() {
  std::vector<std::string> variables{"PATH=" + search_path(), "LC_ALL=C"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("PATH=") && !text.starts_with("LC_") && !text.starts_with("LANG"))
      variables.emplace_back(text);
  }
  return variables;
}

/// "" when there is none.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (std::string folders = search_path(); !folders.empty();) {
    const std::size_t colon = folders.find(':');
    const std::string candidate = folders.substr(0, colon) + "/" + name;
    if (candidate.front() == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    folders = colon == std::string::npos ? "" : folders.substr(colon + 1);
  }
  return "";
}

Result<pid_t> start(const std::vector<std::string>& command, int output, int errors) {
  os::Launch launch{.words = command};
  launch.program = find_program(command.front());
  if (launch.program.empty()) return failure(ErrorCode::vanished, command.front(), "is not installed");
  launch.output = output;
  launch.errors = errors;
  launch.environment = environment();
  return os::start(std::move(launch));
}

int exit_status(int status) {
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

std::optional<std::string> output_of(const std::vector<std::string>& command) {
  auto pipe = os::make_pipe();
  if (!pipe) return std::nullopt;
  const auto process = start(command, pipe->write.get(), os::Launch::k_nothing);
  pipe->write.reset();
  if (!process) return std::nullopt;
  std::string output = os::read_to_end(pipe->read.get(), k_max_output);
  return exit_status(os::wait_for(*process)) == 0 ? std::optional(std::move(output)) : std::nullopt;
}

int run_program(const std::vector<std::string>& command) {
  const auto process = start(command, STDOUT_FILENO, STDERR_FILENO);
  return process ? exit_status(os::wait_for(*process)) : 127;
}

}  // namespace maildirsync::cli
