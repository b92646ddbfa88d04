#include "common/config/shared.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/values.h"
#include "common/os/fd.h"

namespace maildirsync::config {

namespace {

bool is_own_group(gid_t group) {
  if (group == ::getegid()) return true;
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
  const int got = ::getgroups(static_cast<int>(groups.size()), groups.data());
  return got > 0 && std::find(groups.begin(), groups.begin() + got, group) != groups.begin() + got;
}

/// For its owner alone; or root's and readable by one of our groups, as Debian's group ssl-cert has it.
bool is_private(const struct stat& status) {
  const mode_t others = status.st_mode & (S_IRWXG | S_IRWXO);
  return others == 0 || (others == S_IRGRP && status.st_uid == 0 && is_own_group(status.st_gid));
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "%04o", static_cast<unsigned>(mode & 07777));
  return text;
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

void read_identity(const Section& tls, const std::string& role, std::string& certificate, std::string& key) {
  const std::string example = "/etc/maildirsync/" + role;
  tls.required_text("certificate", example + ".crt", certificate, parse_absolute_path);
  tls.required_text("key", example + ".key", key, parse_absolute_path);
  struct stat status {};
  if (!certificate.empty()) check_readable(tls, "certificate", certificate, status);
  if (!key.empty() && check_readable(tls, "key", key, status) && !is_private(status)) {
    tls.wrong("key", key + " has the mode " + octal(status.st_mode) + " and so is not secret; run: chmod 600 " + key);
  }
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
  const auto [earlier, is_new] = lines_.emplace(value, found->line);
  if (is_new) return;
  section.wrong(key_, in_quotes(value) + " is already that of the " + what_ + " in line " +
                          std::to_string(earlier->second) + "; give each " + what_ + " its own");
}

}  // namespace maildirsync::config
