#include "common/service/privileges.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/fd.h"
#include "common/os/name_service.h"

namespace maildirsync::service {

namespace {

constexpr mode_t k_private = 0700;

Result<> hand_over(const std::string& directory, const os::User& user) {
  if (::mkdir(directory.c_str(), k_private) != 0 && errno != EEXIST)
    return os_failure(directory, "cannot make the directory", errno);
  const os::Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return os_failure(directory, "cannot open the directory", errno);
  if (status.st_uid != 0) return {};
  if (::fchown(fd.get(), user.uid, user.gid) != 0) return os_failure(directory, "cannot give it away", errno);
  return {};
}

/// While the process may still do that.
Result<> drop_from_bounding_set(const std::vector<cap_value_t>& kept) {
  for (cap_value_t capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (std::find(kept.begin(), kept.end(), capability) != kept.end()) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return os_failure("", "cannot give up a capability", errno);
  }
  return {};
}

Result<> keep_only(const std::vector<cap_value_t>& kept) {
  const std::unique_ptr<_cap_struct, int (*)(void*)> set(::cap_init(), ::cap_free);
  const auto count = static_cast<int>(kept.size());
  const bool ready = set && ::cap_set_flag(set.get(), CAP_PERMITTED, count, kept.data(), CAP_SET) == 0 &&
                     ::cap_set_flag(set.get(), CAP_EFFECTIVE, count, kept.data(), CAP_SET) == 0;
  if (ready && ::cap_set_proc(set.get()) == 0) return {};
  return os_failure("", "cannot keep the capabilities that the daemon needs", errno);
}

}  // namespace

Result<> become(const std::string& user, const std::vector<cap_value_t>& kept,
                const std::vector<std::string>& directories) {
  const auto found = os::find_user(user);
  if (!found)
    return failure(ErrorCode::config, "", "there is no user " + user + " (--user); make it: useradd --system " + user);
  if (::geteuid() == found->uid) return {};
  if (::geteuid() != 0)
    return failure(ErrorCode::permission, "", "only root can become the user " + user + " (--user)");
  if (found->uid == 0) return failure(ErrorCode::config, "", "--user is to name a user other than root");
  for (const auto& directory : directories)
    MAILDIRSYNC_TRY(hand_over(directory, *found));
  MAILDIRSYNC_TRY(drop_from_bounding_set(kept));
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || ::setgroups(0, nullptr) != 0 ||
      ::setresgid(found->gid, found->gid, found->gid) != 0 || ::setresuid(found->uid, found->uid, found->uid) != 0)
    return os_failure("", "cannot become the user " + user, errno);
  MAILDIRSYNC_TRY(keep_only(kept));
  // Since Linux 3.5; with it no program that is started gains anything.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return os_failure("", "cannot forbid new privileges", errno);
  // A core would have mail in it.
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // Else root alone could look at the process's own entries in /proc, which is how unnamed files get their names.
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return {};
}

}  // namespace maildirsync::service
