#include "cli/deploy/old_server.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maildirsync::cli {

namespace {

constexpr std::uint64_t k_spare_kib = 20 * 1024;
constexpr unsigned k_oldest_kernel_major = 3;
constexpr unsigned k_oldest_kernel_minor = 10;

constexpr const char* k_look = R"sh(
echo "uid $(id -u)"
[ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && echo "sudo yes"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" 2>/dev/null; fi; }
echo "architecture $(uname -m)"
echo "kernel $(uname -r)"
echo "system $( (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null || head -n 1 /etc/redhat-release 2>/dev/null)"
echo "libc $(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)"
if [ -d /run/systemd/system ]; then
  echo "init $(systemctl --version | head -n 1 | cut -d ' ' -f 1,2)"
else
  echo "init init scripts"
fi
existing() { d=$1; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; echo "$d"; }
place=$(existing "$(dirname "$prefix")")
echo "place $place"
as_root test -w "$place" && echo "writable yes"
mount=$(df -Pk "$place" | awk 'NR == 2 {print $NF}')
awk -v mount="$mount" '$2 == mount {options = $4} END {if ("," options "," ~ /,noexec,/) print "noexec yes"}' /proc/mounts
echo "free $(df -Pk "$place" | awk 'NR == 2 {print $4}')"
echo "staging $(df -Pk "$(existing /var/lib)" | awk 'NR == 2 {print $4}')"
for program in /usr/bin/maildirsync /usr/sbin/maildirsync-agent; do
  [ ! -x "$program" ] || { echo "package $("$program" --version 2>/dev/null | awk '{print $NF}')" && break; }
done
[ ! -r "$prefix/share/maildirsync/bundle" ] || sed -n 's/^version /bundle /p' "$prefix/share/maildirsync/bundle"
grep -q '^user maildirsyncd$' "$prefix/share/maildirsync/installed" 2>/dev/null && echo "receiver yes"
[ ! -e /etc/maildirsync/agent.toml ] || echo "config yes"
[ ! -e /var/lib/maildirsync-agent ] || echo "state yes"
for tool in tar sha256sum awk sed dd; do
  command -v "$tool" >/dev/null 2>&1 || echo "missing $tool"
done
command -v useradd >/dev/null 2>&1 || command -v adduser >/dev/null 2>&1 || echo "missing useradd"
command -v doveconf >/dev/null 2>&1 && echo "mail Dovecot $(doveconf --version 2>/dev/null | cut -d ' ' -f 1), mail_location $(doveconf -h mail_location 2>/dev/null)"
command -v postconf >/dev/null 2>&1 && echo "mail Postfix"
command -v exim >/dev/null 2>&1 || command -v exim4 >/dev/null 2>&1 && echo "mail Exim"
[ ! -d /usr/lib/courier ] && [ ! -d /etc/courier ] || echo "mail Courier"
[ ! -d /var/qmail ] || echo "mail qmail"
[ ! -d /var/cpanel ] || echo "mail cPanel"
[ ! -d /usr/local/psa ] || echo "mail Plesk"
echo "looked yes"
)sh";

bool is_old_kernel(const std::string& kernel) {
  unsigned major = 0, minor = 0;
  const char* end = kernel.data() + kernel.size();
  const auto first = std::from_chars(kernel.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc()) return false;
  return major < k_oldest_kernel_major || (major == k_oldest_kernel_major && minor < k_oldest_kernel_minor);
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string look_script(const std::string& prefix) {
  return "prefix=" + prefix + k_look;
}

Result<OldServer> parse_old_server(const std::string& text) {
  OldServer server;
  bool whole = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string key = line.substr(0, space);
    const std::string value = line.substr(space + 1);
    if (key == "uid") server.is_root = value == "0";
    if (key == "sudo") server.has_sudo = true;
    if (key == "architecture") server.architecture = value;
    if (key == "kernel") server.kernel = value;
    if (key == "system") server.system = value;
    if (key == "libc") server.libc = value;
    if (key == "init") server.init = value;
    if (key == "place") server.place = value;
    if (key == "writable") server.writable = true;
    if (key == "noexec") server.no_exec = true;
    if (key == "free") server.free_kib = number(value);
    if (key == "staging") server.staging_free_kib = number(value);
    if (key == "package") server.package = value.empty() ? "unknown" : value;
    if (key == "bundle") server.bundle = value;
    if (key == "receiver") server.has_receiver = true;
    if (key == "config") server.has_config = true;
    if (key == "state") server.has_state = true;
    if (key == "missing") server.missing.push_back(value);
    if (key == "mail") server.mail.push_back(value);
    if (key == "looked") whole = true;
  }
  if (!whole || server.architecture.empty())
    return failure(ErrorCode::protocol, "", "the look at the old server came to no end");
  return server;
}

bool is_good_prefix(const std::string& prefix) {
  return prefix.size() > 1 && prefix.front() == '/' && prefix.back() != '/' && prefix.find("..") == std::string::npos &&
         prefix.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") ==
             std::string::npos;
}

std::optional<std::string> obstacle(const OldServer& server, const BundleName& bundle, const std::string& prefix) {
  if (!server.is_root && !server.has_sudo)
    return "root's rights are needed there: log in as root, or let this user run sudo without a password";
  if (is_old_kernel(server.kernel))
    return fmt::format(
        "its kernel {} is older than 3.10, and nothing of maildirsync runs there: copy its mail to a "
        "newer machine first",
        server.kernel);
  if (!server.package.empty()) {
    if (server.package == bundle.version) return std::nullopt;
    return fmt::format(
        "a package of maildirsync {} is installed there, and this is {}: bring that package to {}, or "
        "remove it, and run this again",
        server.package, bundle.version, bundle.version);
  }
  if (server.architecture != bundle.architecture)
    return fmt::format("it is {}, and the bundle is for {}: give the bundle for {} with --bundle FILE",
                       server.architecture, bundle.architecture, server.architecture);
  if (!server.missing.empty())
    return fmt::format("the installation needs {}, which it has not: install it there first",
                       fmt::join(server.missing, ", "));
  if (!server.writable)
    return fmt::format("{} is read-only there: mount it writable, or choose another place with --into DIRECTORY",
                       server.place);
  if (server.no_exec)
    return fmt::format("{} is mounted noexec there: choose another place with --into DIRECTORY", server.place);
  const std::uint64_t needed = bundle.unpacked_kib + k_spare_kib;
  if (server.free_kib < needed)
    return fmt::format(
        "{} has only {} KiB free, and {} are needed: make room there, or choose another place with "
        "--into DIRECTORY",
        server.place, server.free_kib, needed);
  if (server.staging_free_kib < needed)
    return fmt::format("/var/lib has only {} KiB free, and {} are needed: make room there", server.staging_free_kib,
                       needed);
  if (server.has_receiver)
    return fmt::format("the maildirsync in {} serves a receiver, too: upgrade it there by the bundle's own install",
                       prefix);
  return std::nullopt;
}

std::vector<std::string> describe(const OldServer& server) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{}, {}, Linux {}, {}, {}", server.system.empty() ? "unknown system" : server.system,
                              server.architecture, server.kernel, server.libc, server.init));
  lines.push_back(fmt::format("{} KiB free in {}", server.free_kib, server.place));
  lines.push_back(server.mail.empty() ? std::string("no mail server was recognized")
                                      : fmt::format("mail: {}", fmt::join(server.mail, "; ")));
  if (!server.package.empty()) lines.push_back("maildirsync " + server.package + " is installed, as a package");
  if (!server.bundle.empty()) lines.push_back("maildirsync " + server.bundle + " is installed, from a bundle");
  return lines;
}

}  // namespace maildirsync::cli
