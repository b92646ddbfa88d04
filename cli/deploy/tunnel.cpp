#include "cli/deploy/tunnel.h"

#include <array>
#include <cctype>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/deploy/scripts.h"
#include "cli/deploy/ssh.h"
#include "cli/setup/files.h"
#include "common/os/path.h"
#include "common/os/replace_file.h"

namespace maildirsync::cli {

namespace {

constexpr double k_patience_seconds = 60;

bool has_systemd() {
  return os::exists("/run/systemd/system");  // sd_booted(3)
}

std::string unit_file(const std::string& name) {
  return "/etc/systemd/system/" + name + ".service";
}

std::string script_file(const std::string& name) {
  return "/etc/init.d/" + name;
}

/// A word of ExecStart= (systemd.service(5), "Command lines").
std::string unit_quote(const std::string& word) {
  std::string quoted = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '%' || c == '$') quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

Result<> must(const std::vector<std::string>& command) {
  MAILDIRSYNC_ASSIGN(const auto said, run_caught(command, {}, k_patience_seconds));
  if (said.good()) return {};
  return failure(ErrorCode::io, "", fmt::format("{} failed: {}", fmt::join(command, " "), said.last_words()));
}

}  // namespace

std::string tunnel_name(const std::string& destination) {
  std::string host = destination.substr(destination.rfind('@') + 1);
  for (char& c : host) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '_';
  }
  return "maildirsync-tunnel-" + host;
}

Tunnel make_tunnel(const std::vector<std::string>& ssh, const std::string& destination,
                   const config::Endpoint& listen) {
  config::Endpoint target = listen;
  if (target.host == "0.0.0.0") target.host = "127.0.0.1";
  if (target.host == "::") target.host = "::1";
  Tunnel tunnel{tunnel_name(destination), ssh};
  tunnel.command.insert(tunnel.command.end(),
                        {"-N", "-T", "-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes",
                         "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3", "-R",
                         fmt::format("127.0.0.1:{}:{}", listen.port, target.text()), "--", destination});
  return tunnel;
}

std::string tunnel_unit(const Tunnel& tunnel, const std::string& destination) {
  std::string command;
  for (const auto& word : tunnel.command)
    command += (command.empty() ? "" : " ") + unit_quote(word);
  return fmt::format(
      "# Made by `maildirsync deploy`; taken away by `maildirsync deploy --remove`.\n"
      "[Unit]\nDescription=maildirsync (the line to {})\nAfter=network-online.target\nWants=network-online.target\n"
      "StartLimitIntervalSec=0\n\n"
      "[Service]\nExecStart={}\nRestart=always\nRestartSec=5\n\n[Install]\nWantedBy=multi-user.target\n",
      destination, command);
}

std::string tunnel_init_script(const Tunnel& tunnel) {
  std::string command;
  for (const auto& word : tunnel.command)
    command += (command.empty() ? "" : " ") + shell_quote(word);
  return fmt::format(R"sh(#!/bin/sh
### BEGIN INIT INFO
# Provides:          {0}
# Required-Start:    $network $remote_fs
# Required-Stop:     $network $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: maildirsync ({0})
### END INIT INFO
# Made by `maildirsync deploy`; taken away by `maildirsync deploy --remove`.
pidfile=/run/{0}.pid
pid_of() {{
  pid=$(cat "$pidfile" 2>/dev/null) && tr '\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '{0} run' && echo "$pid"
}}
case ${{1:-}} in
  run)
    while :; do
      {1}
      sleep 5
    done
    ;;
  start)
    pid_of >/dev/null && exit 0
    setsid "$0" run >/dev/null 2>&1 </dev/null &
    echo $! >"$pidfile"
    ;;
  stop)
    pid=$(pid_of) || exit 0
    kill -- "-$pid"
    rm -f "$pidfile"
    ;;
  restart) "$0" stop && "$0" start ;;
  status) if pid_of >/dev/null; then echo "{0} runs"; else echo "{0} does not run" && exit 3; fi ;;
  *) echo "usage: $0 start|stop|restart|status" >&2 && exit 2 ;;
esac
)sh",
                     tunnel.name, command);
}

bool has_tunnel(const std::string& name) {
  return os::exists(unit_file(name)) || os::exists(script_file(name));
}

Result<> keep_tunnel(const Tunnel& tunnel, const std::string& destination) {
  Tunnel found = tunnel;
  std::string& program = found.command.front();
  if (program.find('/') == std::string::npos) {
    for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/bin/"}) {
      if (os::exists(folder + program)) {
        program.insert(0, folder);
        break;
      }
    }
  }
  if (has_systemd()) {
    MAILDIRSYNC_TRY(os::replace_file_of_others(unit_file(tunnel.name), tunnel_unit(found, destination)));
    MAILDIRSYNC_TRY(must({"systemctl", "daemon-reload"}));
    MAILDIRSYNC_TRY(must({"systemctl", "enable", "--quiet", tunnel.name}));
    return must({"systemctl", "restart", tunnel.name});
  }
  MAILDIRSYNC_TRY(make_directories("/etc/init.d"));
  MAILDIRSYNC_TRY(os::replace_file_of_others(script_file(tunnel.name), tunnel_init_script(found)));
  if (::chmod(script_file(tunnel.name).c_str(), 0755) != 0)
    return os_failure(script_file(tunnel.name), "its mode can't be set", errno);
  MAILDIRSYNC_TRY(must({script_file(tunnel.name), "restart"}));
  // Where there is neither, somebody starts it by hand.
  if (!output_of({"update-rc.d", tunnel.name, "defaults"})) output_of({"chkconfig", "--add", tunnel.name});
  return {};
}

bool remove_tunnel(const std::string& name) {
  if (!has_tunnel(name)) return false;
  if (os::exists(unit_file(name))) {
    output_of({"systemctl", "disable", "--now", name});
    ::unlink(unit_file(name).c_str());
    output_of({"systemctl", "daemon-reload"});
  }
  if (os::exists(script_file(name))) {
    output_of({script_file(name), "stop"});
    if (!output_of({"update-rc.d", "-f", name, "remove"})) output_of({"chkconfig", "--del", name});
    ::unlink(script_file(name).c_str());
  }
  return true;
}

}  // namespace maildirsync::cli
