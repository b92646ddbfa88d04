#include "common/config/shared.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/values.h"
#include "common/os/fd.h"
#include "common/os/name_service.h"

namespace maildirsync::config {

namespace {

/// Who may own what only root and the service may read or change: root, this process's user, and the one whose is the
/// state, which is the service's where an administrator checks its configuration.
bool is_owner(uid_t owner, const std::string& state_dir) {
  struct stat status {};
  return owner == 0 || owner == ::geteuid() || (::stat(state_dir.c_str(), &status) == 0 && status.st_uid == owner);
}

std::string user_text(uid_t user) {
  const std::string name = os::user_name(user);
  return name.empty() ? std::to_string(user) : name;
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

/// What is wrong with a key's owner or mode; "" when only root and the service can read or change it.
std::string why_not_secret(const struct stat& status, const std::string& state_dir) {
  if (!is_owner(status.st_uid, state_dir)) {
    return "belongs to the user " + user_text(status.st_uid) +
           ", who is neither root nor the service's, and so is not secret; run: chown root ";
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return "";
  return "has the mode " + octal(status.st_mode) + " and so is not secret; run: chmod 600 ";
}

/// Opens the file that a key of [tls] names, as the TLS library will; false when that is a finding.
bool check_readable(const Section& tls, const std::string& key, const std::string& path, struct stat& status) {
  // Not blocking: a fifo without a writer must not stop the start.
  const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    const int reason = errno;
    tls.wrong(key, path + " can't be read (" + std::strerror(reason) + "); " +
                       (reason == ENOENT ? "make it with `maildirsync keygen` or name the right file"
                                         : "let the user that this program runs as read it"));
    return false;
  }
  if (!S_ISREG(status.st_mode)) {
    tls.wrong(key, path + " is not a file; name the file that `maildirsync keygen` made");
    return false;
  }
  return true;
}

}  // namespace

void read_paths(const Section& top, std::string& state_dir, std::string& control) {
  top.text("state_dir", state_dir, parse_absolute_path);
  top.text("control", control, parse_socket_path);
}

void read_identity(const Section& tls, const std::string& role, const std::string& state_dir, std::string& certificate,
                   std::string& key) {
  const std::string example = "/etc/maildirsync/" + role;
  tls.required_text("certificate", example + ".crt", certificate, parse_absolute_path);
  tls.required_text("key", example + ".key", key, parse_absolute_path);
  struct stat status {};
  if (!certificate.empty()) check_readable(tls, "certificate", certificate, status);
  if (key.empty() || !check_readable(tls, "key", key, status)) return;
  if (const auto why = why_not_secret(status, state_dir); !why.empty()) tls.wrong("key", key + " " + why + key);
}

void read_log(const Section& top, Log& log) {
  top.table("log", {"level"}).text("level", log.level, parse_log_level);
}

void read_metrics(const Section& top, Metrics& metrics) {
  top.table("metrics", {"listen"}).text("listen", metrics.listen, parse_endpoint);
}

void Unique::check(const Section& section, const std::string& value) {
  const Value* found = section.find(key_);
  if (found == nullptr || value.empty()) return;
  const std::string& file = section.findings().file();
  const auto [earlier, is_new] = places_.emplace(value, std::pair(file, found->line));
  if (is_new) return;
  const auto& [there, line] = earlier->second;
  const std::string place = there == file ? "line " + std::to_string(line) : there + ":" + std::to_string(line);
  section.wrong(key_, in_quotes(value) + " is already that of the " + what_ + " in " + place + "; give each " + what_ +
                          " its own");
}

}  // namespace maildirsync::config
