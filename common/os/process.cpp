#include "common/os/process.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <sstream>

#include <unistd.h>

#include "common/os/boot.h"
#include "common/os/directory.h"

namespace maildirsync::os {

namespace {

constexpr std::size_t k_longest = 4096;

/// What proc_pid_stat(5) says of a process; empty where that cannot be seen.
struct Seen {
  std::string state;  ///< field 3: "Z" of one that ended, and whose parent has not asked yet
  std::string start;  ///< field 22: ticks since the boot
};

Seen look_at(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", k_longest);
  if (!text) return {};
  // The second field is the name, in parentheses, with whatever the program put there.
  const auto end_of_name = text->rfind(')');
  if (end_of_name == std::string::npos) return {};
  std::istringstream fields(text->substr(end_of_name + 1));
  Seen seen;
  fields >> seen.state;
  for (int number = 4; number <= 22; ++number)
    fields >> seen.start;
  return fields ? seen : Seen{};
}

std::string boot() {
  const std::string id = boot_id();
  return id.substr(0, id.find('\n'));
}

}  // namespace

std::string name_of_process(pid_t pid) {
  return std::to_string(pid) + ':' + look_at(pid).start + ':' + boot();
}

std::string this_process() {
  return name_of_process(::getpid());
}

pid_t number_of_process(const std::string& process) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(process.data(), process.data() + process.size(), pid);
  const bool is_number = error == std::errc() && end != process.data() + process.size() && *end == ':' && pid > 0;
  return is_number ? pid : 0;
}

bool is_running(const std::string& process) {
  const pid_t pid = number_of_process(process);
  const auto first = process.find(':');
  const auto second = process.find(':', first == std::string::npos ? first : first + 1);
  if (pid == 0 || second == std::string::npos || process.substr(second + 1) != boot()) return false;
  if (::kill(pid, 0) != 0 && errno == ESRCH) return false;
  const Seen seen = look_at(pid);
  if (seen.state == "Z" || seen.state == "X") return false;
  return seen.start.empty() || seen.start == process.substr(first + 1, second - first - 1);
}

}  // namespace maildirsync::os
