#include <cerrno>
#include <cmath>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "cli/report/format.h"
#include "cli/report/remedy.h"
#include "cli/setup/service.h"
#include "common/config/document.h"
#include "common/control/client.h"
#include "common/net/identity.h"
#include "common/net/tls.h"
#include "common/os/clock.h"
#include "common/os/fd.h"
#include "common/os/open_beneath.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

constexpr double k_patience_seconds = 10;
constexpr std::uint64_t k_room = 256ULL * 1024 * 1024;
constexpr std::uint64_t k_inodes = 10'000;
constexpr std::size_t k_shown_problems = 20;

std::string owner_text(const struct stat& status) {
  return user_text(status.st_uid);
}

/// A file of ours in the directory, gone again at once; "" or the operating system's words.
std::string try_to_write(const std::string& directory) {
  const os::Fd fd(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (fd) return "";
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return std::strerror(errno);
  return ::access(directory.c_str(), W_OK | X_OK) == 0 ? "" : std::strerror(errno);
}

/// How the running daemon keeps each path beneath its root. A daemon of an older release does not say.
void check_confinement(Checks& checks, const std::string& way) {
  if (way.empty()) return;
  checks.good("confinement", way == os::to_string(os::Confinement::by_kernel)
                                 ? "each path is confined by the kernel (openat2)"
                                 : "each path is confined name by name: this kernel or container has no openat2, which "
                                   "Linux has since 5.6; as safe, and a little slower");
}

/// Whether the daemon runs with what its file holds now. A daemon of an older release does not say.
void check_running_configuration(Checks& checks, Role role, const Places& places, const Json& status) {
  const Json& running = object_of(status, "configuration");
  const std::string digest = text_of(running, "digest");
  if (digest.empty()) return;
  const std::string file = text_of(running, "file");
  const std::string reload =
      fmt::format("run: systemctl reload {}, which says why it is refused if it is", unit_name(role));
  struct stat ours {
  }, theirs{};
  const bool is_same_file = ::stat(places.config.c_str(), &ours) == 0 && ::stat(file.c_str(), &theirs) == 0 &&
                            ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
  if (!is_same_file) {
    checks.bad("running", fmt::format("the daemon runs with {}, and {} was looked at", file, places.config),
               fmt::format("maildirsync doctor --config {}, or restart the daemon with the other file", file));
  } else if (config::digest_of_file(places.config) != digest) {
    checks.bad("running",
               fmt::format("the daemon runs with another configuration than {} has: with what it held at {}", file,
                           text_of(running, "read_at")),
               reload);
  } else {
    checks.good("running", "the daemon runs with what " + file + " has");
  }
}

void check_problems(Checks& checks, const Json& status) {
  const Json& problems = list_of(status, "problems");
  std::size_t shown = 0;
  for (const auto& problem : problems) {
    if (++shown > k_shown_problems) {
      checks.bad("problems",
                 fmt::format("the daemon has {} more", format_plural(problems.size() - k_shown_problems, "problem")),
                 "see them all: maildirsync status");
      break;
    }
    const std::string code = text_of(problem, "code");
    std::string what = code;
    for (const char* key : {"root", "account", "path", "detail"}) {
      if (const std::string text = text_of(problem, key); !text.empty()) what += ": " + text;
    }
    checks.bad("problem", what, std::string(remedy(code)));
  }
  if (problems.empty()) checks.good("problems", "the daemon has none");
}

}  // namespace

void refuse_configuration(Checks& checks, const Places& places, Role role, const Error& error) {
  std::string what = error.message();
  std::string how = "mend the line; every key is in maildirsync-" + std::string(role_word(role)) + ".toml(5)";
  // The readers' sentences end with the remedy.
  if (const auto at = what.rfind("; "); at != std::string::npos) {
    how = what.substr(at + 2);
    what.resize(at);
  }
  if (::geteuid() != 0 && what.find("Permission denied") != std::string::npos) how = "run maildirsync doctor as root";
  struct stat status {};
  if (::stat(places.config.c_str(), &status) != 0 && errno == ENOENT)
    how = "run: maildirsync setup " + std::string(role_word(role));
  checks.bad("configuration", what, how);
}

void check_key(Checks& checks, const ServiceIdentity& identity, const std::string& certificate,
               const std::string& key) {
  struct stat status {};
  if (::stat(key.c_str(), &status) != 0) {
    return checks.bad("key", key + " can't be looked at: " + std::strerror(errno), "make it with maildirsync keygen");
  }
  if (const auto tls = net::make_context(net::Side::client, certificate, key); !tls) {
    return checks.bad("key", tls.error().message(), "make both anew with maildirsync keygen, and pair again");
  }
  if (status.st_uid != 0 && status.st_uid != identity.user) {
    return checks.bad("key", fmt::format("{} belongs to {}, who can read and change it", key, owner_text(status)),
                      "run: chown root: " + key);
  }
  const auto fingerprint = net::fingerprint_of_file(certificate);
  checks.good("key", "ours is " + fingerprint.value_or("unknown"));
}

bool check_room(Checks& checks, const std::string& name, const std::string& path, const std::string& how) {
  struct statvfs room {};
  if (::statvfs(path.c_str(), &room) != 0) return true;
  const std::uint64_t bytes = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  if (bytes < k_room) {
    checks.bad(name, fmt::format("{} has only {} free", path, format_bytes(static_cast<double>(bytes))), how);
    return false;
  }
  // Some file systems make inodes as they need them and count none.
  if (room.f_files > 0 && room.f_favail < k_inodes) {
    checks.bad(name, fmt::format("{} has room for only {} more files (inodes)", path, format_count(room.f_favail)),
               how);
    return false;
  }
  return true;
}

void check_state(Checks& checks, const ServiceIdentity& identity, const std::string& state_dir) {
  struct stat status {};
  const bool there = ::stat(state_dir.c_str(), &status) == 0;
  if (there && !S_ISDIR(status.st_mode)) {
    return checks.bad("state", state_dir + " is no directory", "name another with state_dir in the configuration");
  }
  // The daemon makes it, but not what is above.
  const std::string place = there ? state_dir : os::directory_of(state_dir);
  // Without room the attempt would fail for that alone.
  if (!check_room(checks, "state", place, "make space there, or put state_dir elsewhere")) return;
  const auto failed = run_as(identity, [&] { return try_to_write(place.empty() ? "/" : place); });
  if (!failed) return checks.skipped("state", "it can't be tried as " + identity.who + ": " + failed.error().message());
  if (!failed->empty()) {
    return checks.bad("state", fmt::format("{} can't write to {}: {}", identity.who, place, *failed),
                      there ? fmt::format("run: chown -R {} {}", user_text(identity.user), state_dir)
                            : fmt::format("make it: install -d -o {} -m 0700 {}", user_text(identity.user), state_dir));
  }
  checks.good("state", state_dir + (there ? " is writable and has room" : " will be made by the daemon"));
}

Json check_daemon(Checks& checks, Role role, const Places& places, const std::string& control) {
  auto answer = control::call(control, {{"command", "status"}}, {}, k_patience_seconds);
  if (!answer) {
    std::string what = answer.error().message();
    const std::size_t hint = what.find("; ");
    const bool forbidden = what.find("permission") != std::string::npos;
    checks.bad("daemon", what.substr(0, hint),
               forbidden
                   ? what.substr(hint + 2)
                   : fmt::format("start it: {}; why it ended: {}", start_hint(role, places), log_hint(role, places)));
    return nullptr;
  }
  if (text_of(*answer, "role") != role_word(role)) {
    checks.bad("daemon", fmt::format("what answers on {} is no {}", control, role_word(role)),
               "give each daemon its own control in its configuration");
    return nullptr;
  }
  check_confinement(checks, text_of(*answer, "confinement"));
  checks.good("daemon", fmt::format("it runs: version {}, {}", text_of(*answer, "version"), text_of(*answer, "state")));
  if (text_of(*answer, "version") != MAILDIRSYNC_VERSION) {
    checks.bad(
        "version",
        fmt::format("the daemon is version {}, this program {}", text_of(*answer, "version"), MAILDIRSYNC_VERSION),
        "restart the daemon after an upgrade: systemctl restart " + std::string(unit_name(role)));
  }
  check_running_configuration(checks, role, places, *answer);
  check_problems(checks, *answer);
  return std::move(*answer);
}

void check_clock(Checks& checks, const std::string& peer, double offset) {
  if (std::abs(offset) < os::k_clock_tolerance) {
    return checks.good("clock",
                       fmt::format("it agrees with that of {} within {:.0f} s", peer, std::ceil(std::abs(offset))));
  }
  checks.bad("clock",
             fmt::format("the clock of {} is {} {} ours", peer, format_seconds(std::abs(offset)),
                         offset > 0 ? "ahead of" : "behind"),
             "let both servers keep time: timedatectl set-ntp true, then timedatectl");
}

}  // namespace maildirsync::cli
