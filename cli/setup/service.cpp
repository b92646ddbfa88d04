#include "cli/setup/service.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/setup/files.h"
#include "common/os/fd.h"
#include "common/os/host.h"
#include "common/os/name_service.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

/// Packages make the service's user; `cmake --install` does not, and systemd only at the next boot.
bool make_user(Role role) {
  const std::string user = service_user(role);
  return os::find_user(user).has_value() || run_program({"systemd-sysusers", user + ".conf"}) == 0;
}

Applied by_systemd(Role role, bool unit_changed) {
  const std::string unit = unit_name(role);
  if (!make_user(role)) {
    return {false, std::string("the user ") + service_user(role) +
                       " is missing, and systemd-sysusers does not make it; "
                       "see its words above"};
  }
  // A drop-in that `setup` wrote counts, too.
  const auto stale = output_of({"systemctl", "show", "--property", "NeedDaemonReload", "--value", unit});
  unit_changed |= stale && stale->starts_with("yes");
  if (unit_changed && run_program({"systemctl", "daemon-reload"}) != 0)
    return {false, "systemctl daemon-reload failed; see its words above"};
  // What runs now is to run after a reboot too.
  const bool enabled = output_of({"systemctl", "is-enabled", "--quiet", unit}).has_value() ||
                       run_program({"systemctl", "enable", "--quiet", unit}) == 0;
  const bool active = output_of({"systemctl", "is-active", "--quiet", unit}).has_value();
  const char* verb = !active || unit_changed ? "restart" : "reload";
  if (run_program({"systemctl", verb, unit}) != 0)
    return {false, "systemctl " + std::string(verb) + " " + unit + " failed; see: systemctl status " + unit};
  const char* done = !active        ? " was started, now and at each boot"
                     : unit_changed ? " was restarted"
                                    : " reads its configuration anew";
  if (!enabled) {
    return {false, unit + done + ", but will not be after a reboot: systemctl enable " + unit +
                       " failed; see its words above"};
  }
  return {true, unit + done};
}

/// Of the side's service, where systemd does not run; "" when there is none.
std::string init_script(Role role) {
  if (os::exists("/run/systemd/system")) return "";  // sd_booted(3)
  for (const std::string& script : {std::string("/etc/init.d/") + service_user(role),
                                    os::own_prefix() + "/share/maildirsync/" + service_user(role) + ".init"}) {
    if (::access(script.c_str(), X_OK) == 0) return script;
  }
  return "";
}

Applied by_init_script(Role role, const std::string& script) {
  const std::string name = service_user(role);
  if (run_program({script, "start"}) != 0) return {false, script + " start failed; see its words above"};
  const bool at_boot = script == "/etc/init.d/" + name &&
                       (output_of({"update-rc.d", name, "defaults"}) || output_of({"chkconfig", "--add", name}) ||
                        output_of({"rc-update", "add", name, "default"}));
  if (at_boot) return {true, script + " was started, now and at each boot"};
  return {true, script + " was started; let cron keep it running: * * * * * " + script + " keep"};
}

}  // namespace

int process_behind(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return -1;
  return peer.pid > 0 ? peer.pid : -1;
}

bool has_unit(Role role) {
  if (!os::exists("/run/systemd/system")) return false;  // sd_booted(3)
  return output_of({"systemctl", "cat", unit_name(role)}).has_value();
}

std::string start_hint(Role role, const Places& places) {
  if (places.is_default && has_unit(role)) return std::string("systemctl enable --now ") + unit_name(role);
  const std::string script = places.is_default ? init_script(role) : "";
  if (!script.empty()) return script + " start";
  const std::string program = service_user(role);
  return places.is_default ? program : program + " --config " + places.config;
}

std::string log_hint(Role role, const Places& places) {
  if (places.is_default && !init_script(role).empty()) return std::string("/var/log/") + service_user(role) + ".log";
  return std::string("journalctl -u ") + unit_name(role);
}

Applied apply(Role role, const Places& places, const std::string& control, bool unit_changed) {
  if (places.is_default && has_unit(role)) return by_systemd(role, unit_changed);
  const int process = process_behind(control);
  const std::string script = process <= 0 && places.is_default ? init_script(role) : "";
  if (!script.empty()) return by_init_script(role, script);
  if (process <= 0) return {true, "it does not run yet; start it: " + start_hint(role, places)};
  if (::kill(process, SIGHUP) != 0) {
    return {false, "the daemon (process " + std::to_string(process) +
                       ") can't be told to read its configuration anew: " + std::strerror(errno) +
                       "; send it SIGHUP as root"};
  }
  return {true, "the daemon (process " + std::to_string(process) + ") reads its configuration anew"};
}

}  // namespace maildirsync::cli
