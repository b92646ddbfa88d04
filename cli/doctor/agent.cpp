#include <algorithm>

#include <fmt/format.h>

#include "cli/doctor/checks.h"
#include "cli/doctor/limits.h"
#include "cli/doctor/mail.h"
#include "cli/doctor/probe.h"
#include "cli/report/format.h"
#include "cli/setup/service.h"
#include "common/config/document.h"

namespace maildirsync::cli {

namespace {

constexpr int k_probe_seconds = 15;

/// A configuration that `setup` wrote and `pair` has not finished.
bool is_unpaired(const std::string& config) {
  const auto document = config::read_document(config);
  return document && document->find("root") != nullptr && document->find("receiver") == nullptr;
}

void check_roots(Checks& checks, const config::Agent& config, const Mail& mail) {
  for (std::size_t i = 0; i < mail.roots.size(); ++i) {
    const auto& root = mail.roots[i];
    const std::string& path = config.roots[i].path;
    if (!root.error.empty()) {
      checks.bad("root", fmt::format("the root {} ({}) can't be opened: {}", root.name, path, root.error),
                 "mount it, or put its path right in " + config.file);
    } else if (root.accounts == 0) {
      checks.bad(
          "root",
          fmt::format("the root {} ({}) holds no account of the form {}", root.name, path, config.roots[i].accounts),
          "put `path` and `accounts` right in " + config.file + ", or mount the volume");
    } else {
      checks.good("root", fmt::format("{} ({}) has {}{}", root.name, path, format_plural(root.accounts, "account"),
                                      root.keeps_whole_seconds
                                          ? "; times are kept to 1 s there: a folder is looked at again until its "
                                            "last change is older than that"
                                          : ""));
    }
  }
}

void check_readable(Checks& checks, const ServiceIdentity& identity, const Mail& mail) {
  if (mail.unreadable == 0) {
    checks.good("mail",
                fmt::format("{} can read the {} that are there", identity.who, format_plural(mail.folders, "folder")));
    return;
  }
  checks.bad(
      "mail",
      fmt::format("{} can't read {}: {}{}", identity.who, mail.first_unreadable, mail.reason,
                  mail.unreadable > 1 ? fmt::format("; nor {} more", format_count(mail.unreadable - 1)) : ""),
      "start the agent with CAP_DAC_READ_SEARCH, as its unit does; on NFS export without root_squash, or let its "
      "user read the mail");
}

void check_watches(Checks& checks, const config::Agent& config, const Mail& mail, const Json& status) {
  // "auto" is what the running daemon made of it; without one, the unit's rights allow inotify only.
  const bool fanotify = config.watch.backend == config::WatchBackend::fanotify ||
                        text_of(object_of(status, "watcher"), "backend") == "fanotify";
  if (fanotify) {
    return checks.good("watches", "fanotify needs one mark a file system, however many folders there are");
  }
  const auto limit = watch_limit();
  if (!limit) return checks.skipped("watches", "the kernel's limit can't be read");
  // Others of the same user take from the same limit; a tenth is for them and for folders to come.
  const std::uint64_t needed = mail.watches + mail.watches / 10;
  if (limit->most >= needed) {
    return checks.good("watches", fmt::format("{} folders need {} of {} inotify watches", format_count(mail.folders),
                                              format_count(mail.watches), format_count(limit->most)));
  }
  const std::uint64_t used = count_of(status, "watches");
  checks.bad(
      "watches",
      fmt::format("{} folders need {} inotify watches, and {} allows {}{}: what is over is looked at every 10 s only",
                  format_count(mail.folders), format_count(mail.watches), limit->name, format_count(limit->most),
                  used > 0 ? fmt::format(" ({} in use)", format_count(used)) : ""),
      fmt::format("run: sysctl -w {}={}, write it to /etc/sysctl.d/61-local.conf, and restart maildirsync-agent",
                  limit->name, watches_for(mail.watches)));
}

void check_receiver_of(Checks& checks, const config::Agent& config) {
  const std::string where = config.receiver.text();
  std::vector<std::string> roots;
  for (const auto& root : config.roots)
    roots.push_back(root.name);
  const Probe found = probe(config.receiver, config.tls.certificate, config.tls.key, config.tls.receiver_fingerprint,
                            roots, k_probe_seconds);
  if (!found.unresolved.empty()) {
    return checks.bad("receiver", fmt::format("its name {} leads nowhere: {}", config.receiver.host, found.unresolved),
                      "put `receiver` right in " + config.file + ", or mend the name service");
  }
  if (found.unconnected) {
    return checks.bad("receiver", "nobody answers: " + found.unconnected->what,
                      found.unconnected->remedy + "; maildirsync doctor on the new server says what it lacks");
  }
  checks.good("receiver", where + " answers");
  if (found.no_handshake) return checks.bad("identity", found.no_handshake->what, found.no_handshake->remedy);
  if (found.shown != config.tls.receiver_fingerprint) {
    return checks.bad(
        "identity",
        fmt::format("{} shows the key {}, wanted is {}", where, found.shown, config.tls.receiver_fingerprint),
        "if it is the right server, run `maildirsync pair` there and give its line to `maildirsync pair` here; "
        "if not, somebody is in between");
  }
  checks.good("identity", "it shows the key that is wanted, " + found.shown);
  if (!found.refusal.empty()) {
    checks.bad("greeting", fmt::format("{} says: {}", where, found.refusal),
               "run `maildirsync pair` here and give its line to `maildirsync pair` on the new server");
  } else if (!found.unknown_roots.empty()) {
    checks.bad("greeting",
               fmt::format("{} does not have the root{} {} for us: nothing of it is sent", where,
                           found.unknown_roots.size() == 1 ? "" : "s", fmt::join(found.unknown_roots, ", ")),
               "run `maildirsync pair` here and give its line to `maildirsync pair` on the new server");
  } else {
    checks.good("greeting", "it knows us and our roots (" + found.software + ")");
  }
  if (found.clock_offset) {
    check_clock(checks, where, *found.clock_offset);
  } else {
    checks.skipped("clock", "the receiver did not say its time");
  }
}

}  // namespace

void check_agent(const Places& places, Checks& checks) {
  const auto config = config::read_agent(places.config);
  if (!config && is_unpaired(places.config)) {
    return checks.bad(
        "configuration", places.config + ": this agent has no receiver yet",
        "run `maildirsync pair` on the new server, and here `maildirsync pair 'LINE'` with the line that it prints");
  }
  if (!config) return refuse_configuration(checks, places, Role::agent, config.error());
  checks.good("configuration", places.config + " is right");

  const int process = process_behind(config->control);
  const auto identity = service_identity(Role::agent, process, places.is_default);
  check_key(checks, identity, config->tls.certificate, config->tls.key);
  check_state(checks, identity, config->state_dir);
  const Json status = check_daemon(checks, Role::agent, places, config->control);
  auto mail = look_at_mail(identity, config->roots);
  if (mail) {
    check_readable(checks, identity, *mail);
  } else {
    checks.skipped("mail", "it can't be read as " + identity.who + ": " + mail.error().message());
    mail = look_at_mail({.is_ours = true}, config->roots);
  }
  if (mail) {
    check_roots(checks, *config, *mail);
    check_watches(checks, *config, *mail, status);
  }
  check_receiver_of(checks, *config);
}

}  // namespace maildirsync::cli
