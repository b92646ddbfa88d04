#include "cli/deploy/scripts.h"

#include <fmt/format.h>

namespace maildirsync::cli {

namespace {

/// Root's own, so that nobody else can put anything there, and on a disk that holds more than /tmp does.
constexpr const char* k_staging = "/var/lib/maildirsync-deploy";

constexpr const char* k_start = R"sh(
if [ -d /run/systemd/system ]; then
  systemctl enable --quiet "$daemon" && systemctl start "$daemon"
  exit
fi
script=/etc/init.d/$daemon
[ -x "$script" ] || script=$prefix/share/maildirsync/$daemon.init
[ -x "$script" ] || { echo "there is neither a unit nor an init script of $daemon: install its package, or the bundle" >&2; exit 1; }
"$script" start || exit 1
if [ "$script" != "/etc/init.d/$daemon" ]; then
  echo "let cron keep it running: * * * * * $script keep"
elif command -v update-rc.d >/dev/null 2>&1; then
  update-rc.d "$daemon" defaults >/dev/null 2>&1
elif command -v chkconfig >/dev/null 2>&1; then
  chkconfig --add "$daemon" >/dev/null 2>&1
elif command -v rc-update >/dev/null 2>&1; then
  rc-update add "$daemon" default >/dev/null 2>&1
else
  echo "let cron keep it running: * * * * * $script keep"
fi
exit 0
)sh";

constexpr const char* k_doctor = R"sh(
n=0
while [ $n -lt 30 ]; do
  case $("$program" --json status 2>/dev/null) in *'"connected":true'*) break ;; esac
  n=$((n + 1))
  sleep 1
done
exec "$program" doctor --config /etc/maildirsync/agent.toml
)sh";

constexpr const char* k_remove = R"sh(
daemon=maildirsync-agent
[ ! -r /etc/maildirsync/agent.crt ] || echo "fingerprint $("$prefix/bin/maildirsync" fingerprint /etc/maildirsync/agent.crt 2>/dev/null)"
rm -rf /var/lib/maildirsync-deploy
if [ -x "$prefix/uninstall" ]; then
  "$prefix/uninstall" >/dev/null || exit 1
fi
if [ "$all" = yes ]; then
  rm -f /etc/maildirsync/agent.toml /etc/maildirsync/agent.key /etc/maildirsync/agent.crt
  rmdir /etc/maildirsync 2>/dev/null
  rm -rf /var/lib/maildirsync-agent /var/lib/maildirsync-agent.wanted /run/maildirsync-agent
  ! id "$daemon" >/dev/null 2>&1 || userdel "$daemon" >/dev/null 2>&1
fi
for path in "$prefix" /etc/maildirsync /var/lib/maildirsync-agent /var/log/maildirsync-agent.log; do
  [ ! -e "$path" ] || echo "left $path"
done
! id "$daemon" >/dev/null 2>&1 || echo "left the user $daemon"
exit 0
)sh";

}  // namespace

std::string shell_quote(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string install_line(const std::string& prefix) {
  // A tar that breaks off ends with an error or without SHA256SUMS, which `install` checks everything by.
  return fmt::format(
      "umask 022; d={0}; rm -rf $d; mkdir -m 0700 $d && tar -C $d -xf - && cd $d/maildirsync-* && sh ./install agent "
      "--prefix {1} </dev/null; s=$?; cd /; rm -rf $d; exit $s",
      k_staging, prefix);
}

std::string configure_script(const std::string& program, const std::vector<std::string>& options) {
  std::string command = program + " --json setup agent --yes --no-start";
  for (const auto& option : options)
    command += " " + shell_quote(option);
  return "[ ! -e /etc/maildirsync/agent.toml ] || exec " + program +
         " --json pair --config /etc/maildirsync/agent.toml\n" + command;
}

std::string pair_script(const std::string& program, const std::string& line, bool paused) {
  return program + " --json pair --config /etc/maildirsync/agent.toml" + (paused ? " --paused " : " ") +
         shell_quote(line);
}

std::string start_script(const std::string& daemon, const std::string& prefix) {
  return "daemon=" + daemon + " prefix=" + prefix + k_start;
}

std::string doctor_script(const std::string& program) {
  return "program=" + program + k_doctor;
}

std::string remove_script(const std::string& prefix, Removal removal) {
  if (removal == Removal::configuration)
    return "rm -f /etc/maildirsync/agent.toml /etc/maildirsync/agent.key /etc/maildirsync/agent.crt";
  return "prefix=" + prefix + (removal == Removal::everything ? " all=yes" : " all=no") + k_remove;
}

}  // namespace maildirsync::cli
