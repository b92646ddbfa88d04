#include "cli/doctor/identity.h"

#include <cerrno>
#include <sstream>

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/child.h"
#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/name_service.h"
#include "common/os/pipe.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_most = 64 * 1024;
constexpr std::size_t k_most_said = 16 * 1024 * 1024;

std::uint64_t bit(int capability) {
  return std::uint64_t{1} << static_cast<unsigned>(capability);
}

/// What the units give (systemd/*.service.in).
std::uint64_t unit_capabilities(Role role) {
  return role == Role::agent ? bit(CAP_DAC_READ_SEARCH) : bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER);
}

/// "Uid:\treal\teffective\t…" and the like of a process; nothing when it can't be read.
std::optional<ServiceIdentity> identity_of(int process) {
  const auto status = os::read_file("/proc/" + std::to_string(process) + "/status", k_most);
  if (!status) return std::nullopt;
  ServiceIdentity identity;
  std::istringstream lines(*status);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t real = 0;
    words >> key;
    if (key == "Uid:") {
      words >> real >> identity.user;
    } else if (key == "Gid:") {
      words >> real >> identity.group;
    } else if (key == "Groups:") {
      for (gid_t group = 0; words >> group;)
        identity.groups.push_back(group);
    } else if (key == "CapEff:") {
      words >> std::hex >> identity.capabilities;
    }
  }
  return identity;
}

ServiceIdentity ourselves() {
  auto own = identity_of(::getpid()).value_or(ServiceIdentity{::geteuid(), ::getegid()});
  own.is_ours = true;
  own.who = "the user " + user_text(own.user) + ", who runs doctor";
  return own;
}

bool set_capabilities(std::uint64_t wanted) {
  const cap_t set = ::cap_init();
  bool good = set != nullptr;
  for (int capability = 0; good && capability < 64; ++capability) {
    if ((wanted & bit(capability)) == 0) continue;
    const auto value = static_cast<cap_value_t>(capability);
    good = ::cap_set_flag(set, CAP_PERMITTED, 1, &value, CAP_SET) == 0 &&
           ::cap_set_flag(set, CAP_EFFECTIVE, 1, &value, CAP_SET) == 0;
  }
  good = good && ::cap_set_proc(set) == 0;
  ::cap_free(set);
  return good;
}

/// Whether a process sees the same mounts as we do.
bool shares_mounts(int process) {
  struct stat own {
  }, other{};
  return ::stat("/proc/self/ns/mnt", &own) == 0 &&
         ::stat(("/proc/" + std::to_string(process) + "/ns/mnt").c_str(), &other) == 0 && own.st_ino == other.st_ino;
}

/// "", or what could not be done.
std::string become(const ServiceIdentity& identity) {
  if (identity.process > 0 && !shares_mounts(identity.process)) {
    // Paths as the service sees them: read-only, hidden or mounted elsewhere by its unit.
    const std::string path = "/proc/" + std::to_string(identity.process) + "/ns/mnt";
    const os::Fd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!space || ::setns(space.get(), CLONE_NEWNS) != 0) return "its view of the file system can't be entered";
  }
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return "its capabilities can't be kept";
  if (::setgroups(identity.groups.size(), identity.groups.data()) != 0 ||
      ::setresgid(identity.group, identity.group, identity.group) != 0 ||
      ::setresuid(identity.user, identity.user, identity.user) != 0)
    return "its user can't be taken on";
  return set_capabilities(identity.capabilities) ? "" : "its capabilities can't be taken on";
}

}  // namespace

std::string user_text(uid_t user) {
  const std::string name = os::user_name(user);
  return name.empty() ? std::to_string(user) : name;
}

ServiceIdentity service_identity(Role role, int process, bool is_service_config) {
  if (::geteuid() != 0) return ourselves();
  if (process > 0) {
    if (auto running = identity_of(process)) {
      running->process = process;
      running->who = "the running daemon (user " + user_text(running->user) + ")";
      return *running;
    }
  }
  const auto user = is_service_config ? os::find_user(service_user(role)) : std::nullopt;
  if (!user) return ourselves();
  ServiceIdentity identity{user->uid, user->gid, {user->gid}, unit_capabilities(role)};
  identity.who = "the service's user " + user->name;
  return identity;
}

Result<std::string> run_as(const ServiceIdentity& identity, const std::function<std::string()>& work) {
  if (identity.is_ours) return work();
  MAILDIRSYNC_ASSIGN(auto answer, os::make_pipe());
  const pid_t child = ::fork();
  if (child < 0) return os_failure("", "no process can be made", errno);
  if (child == 0) {
    // A thread of its own would be lost in the child; this program has none here.
    const std::string failed = become(identity);
    const std::string said = failed.empty() ? "+" + work() : "-" + failed;
    (void)os::write_all(answer.write.get(), said, "");
    ::_exit(0);
  }
  answer.write.reset();
  const std::string said = os::read_to_end(answer.read.get(), k_most_said);
  os::wait_for(child);
  if (said.empty()) return failure(ErrorCode::io, "", "the process that looks as the service ended without a word");
  if (said.front() == '-') return failure(ErrorCode::permission, "", said.substr(1));
  return said.substr(1);
}

}  // namespace maildirsync::cli
