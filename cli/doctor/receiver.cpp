#include <cerrno>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "cli/doctor/links.h"
#include "cli/doctor/probe.h"
#include "cli/report/format.h"
#include "cli/setup/service.h"
#include "common/config/landing.h"
#include "common/net/identity.h"
#include "common/os/fd.h"
#include "common/os/kept_times.h"
#include "common/os/name_service.h"
#include "common/os/open_beneath.h"
#include "common/os/way_to_write.h"

namespace maildirsync::cli {

namespace {

constexpr int k_probe_seconds = 10;
constexpr std::chrono::seconds k_look_for_links{5};

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

bool has_user(const std::string& name) {
  return os::find_user(name).has_value() || is_number(name);
}

bool has_group(const std::string& name) {
  return os::find_group(name).has_value() || is_number(name);
}

/// "" for a file system that keeps times to the nanosecond and for a long time yet.
std::string times_text(const std::string& path) {
  const auto root = os::Directory::open_root(path);
  const auto times = root ? os::measure_kept_times(*root) : Result<os::KeptTimes>(Failure(root.error()));
  if (!times) return "";
  constexpr std::int64_t k_second = 1'000'000'000;
  constexpr std::int64_t k_year_2100 = 4'102'444'800 * k_second;
  std::string text;
  if (times->grain >= k_second) {
    text = fmt::format("; times are kept to {} s there", times->grain / k_second);
  } else if (times->grain > 1) {
    text = fmt::format("; times are kept to {} ns there", times->grain);
  }
  if (times->latest < k_year_2100) {
    text +=
        fmt::format("; dates until {:%Y-%m-%d} only", fmt::gmtime(static_cast<std::time_t>(times->latest / k_second)));
  }
  return text;
}

/// What the receiver does to each message, tried in the root itself and gone again: "" or what does not work.
std::string try_root(const std::string& path) {
  const auto failed = [](const char* what) { return std::string(what) + ": " + std::strerror(errno); };
  const os::Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return failed("it can't be opened");
  const os::Fd beneath(os::open_beneath(os::confinement(), root.get(), ".", O_RDONLY | O_DIRECTORY, 0));
  if (!beneath) return failed("no path beneath it can be opened");
  const std::string name = ".maildirsync.doctor." + std::to_string(::getpid());
  const std::string link = name + ".link";
  const os::Fd file(::openat(root.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return failed("no file can be made in it");
  std::string wrong;
  if (::linkat(root.get(), name.c_str(), root.get(), link.c_str(), 0) != 0) wrong = failed("it takes no hard links");
  if (::fsync(file.get()) != 0) wrong = failed("it does not sync");
  ::unlinkat(root.get(), link.c_str(), 0);
  ::unlinkat(root.get(), name.c_str(), 0);
  return wrong;
}

std::string remedy_of(const std::string& wrong, const Places& places, const std::string& path) {
  if (wrong.find("hard links") != std::string::npos)
    return "put the mail on a file system with hard links (ext4, xfs, btrfs, zfs)";
  if (wrong.find(std::strerror(ENOENT)) != std::string::npos) return "mount it, or make it for the owner of its mail";
  if (wrong.find(std::strerror(EROFS)) != std::string::npos) {
    return fmt::format("add ReadWritePaths={} to {}, then systemctl daemon-reload && systemctl restart maildirsyncd",
                       path, places.dropin);
  }
  return "start maildirsyncd with CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER, as its unit does";
}

/// What was shown to survive power cuts on this file system. The careful way is safe and slow: worth knowing, and
/// nothing to mend.
void check_way(Checks& checks, const config::PeerRoot& root) {
  const os::Fd fd(::open(root.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto ground = fd ? os::ground_of(fd.get()) : os_failure(root.path, "cannot open", errno);
  if (!ground) {
    return checks.skipped("durability", fmt::format("how {} is written: {}", root.path, ground.error().message()));
  }
  const bool is_shown = ground->way != os::WayToWrite::careful;
  checks.good("durability",
              fmt::format("{} lies on {}{}", root.path, ground->text(),
                          is_shown ? ", which was shown to survive power cuts there"
                                   : ", with a sync for each file, for nothing faster was shown to survive power cuts "
                                     "there; ext4, xfs and btrfs are faster"));
}

void check_root(Checks& checks, const ServiceIdentity& identity, const Places& places, const config::PeerRoot& root) {
  struct stat status {};
  if (::stat(root.path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    const std::string why = S_ISREG(status.st_mode) ? "it is no directory" : std::strerror(errno);
    return checks.bad("root", fmt::format("the place of the root {} ({}) can't be used: {}", root.name, root.path, why),
                      "mount it, or make it for the owner of its mail");
  }
  const auto wrong = run_as(identity, [&] { return try_root(root.path); });
  if (!wrong) {
    checks.skipped("root",
                   fmt::format("{} can't be tried as {}: {}", root.path, identity.who, wrong.error().message()));
  } else if (!wrong->empty()) {
    checks.bad("root",
               fmt::format("{} can't keep mail of the root {} in {}: {}", identity.who, root.name, root.path, *wrong),
               remedy_of(*wrong, places, root.path));
  } else if (check_room(checks, "room", root.path, "make space there before the first copy")) {
    checks.good("root", fmt::format("{} is {}: writable, with hard links and room{}", root.name, root.path,
                                    times_text(root.path)));
  }
  check_way(checks, root);
}

void check_links(Checks& checks, const ServiceIdentity& identity, const config::PeerRoot& root) {
  const auto found = find_links_out(identity, root.path, k_look_for_links);
  if (!found) return checks.skipped("links", found.error().message());
  const std::string looked_at = format_plural(found->accounts, "account") + " of the root " + root.name;
  const bool is_one = found->links == 1;
  if (found->links > 0) {
    checks.bad("links",
               fmt::format("in {}, {} out of {}; the first is {}", looked_at,
                           format_plural(found->links, "symbolic link") + (is_one ? " leads" : " lead"),
                           is_one ? "its account" : "their accounts", found->first),
               "remove them: a mail server follows them with the rights of all accounts");
  } else if (found->is_whole) {
    checks.good("links", "none leads out of its account in " + looked_at);
  }
  if (!found->is_whole) {
    checks.skipped("links",
                   fmt::format("the time was over after {}; those after them were not looked at for links that "
                               "lead out, which verify does",
                               looked_at));
  }
}

void check_ids(Checks& checks, const config::PeerRoot& root, const char* word,
               const std::map<std::string, std::string>& ids, bool (*exists)(const std::string&), bool& good) {
  for (const auto& [source, here] : ids) {
    if (exists(here)) continue;
    good = false;
    checks.bad(
        "owners",
        fmt::format("the root {} maps the {} {} to {}, which does not exist here", root.name, word, source, here),
        fmt::format("make it ({} --system {}), or name another {} in the owner table",
                    std::string(word) == "user" ? "useradd" : "groupadd", here, word));
  }
}

void check_owners(Checks& checks, const config::PeerRoot& root) {
  bool good = true;
  const config::Owner& owner = root.owner;
  check_ids(checks, root, "user", owner.users, has_user, good);
  check_ids(checks, root, "group", owner.groups, has_group, good);
  if (const auto colon = owner.unmapped.find(':'); colon != std::string::npos) {
    check_ids(checks, root, "user", {{"of all the rest", owner.unmapped.substr(0, colon)}}, has_user, good);
    check_ids(checks, root, "group", {{"of all the rest", owner.unmapped.substr(colon + 1)}}, has_group, good);
  }
  if (owner.policy == config::OwnerPolicy::map && owner.users.empty() && owner.unmapped == "reject") {
    good = false;
    checks.bad("owners", fmt::format("the root {} maps nobody: all of its mail would be refused", root.name),
               "add the owner of its mail to users and groups in its owner table, or set unmapped");
  }
  if (good) checks.good("owners", "those of the root " + root.name + " exist here");
}

config::Endpoint own_address(const config::Endpoint& listen) {
  config::Endpoint address = listen;
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return address;
}

void check_port(Checks& checks, const config::Receiver& config) {
  const std::string where = config.listen.text();
  const auto own = net::fingerprint_of_file(config.tls.certificate).value_or("");
  // Without a greeting: to our own daemon we are not an agent.
  const Probe found =
      probe(own_address(config.listen), config.tls.certificate, config.tls.key, "", {}, k_probe_seconds);
  if (!found.unresolved.empty() || found.unconnected) {
    checks.bad(
        "port",
        fmt::format("nobody listens on {}: {}", where, found.unconnected ? found.unconnected->what : found.unresolved),
        "start maildirsyncd; a changed `listen` needs a restart: systemctl restart maildirsyncd");
  } else if (found.no_handshake || found.shown != own) {
    checks.bad(
        "port",
        fmt::format("what listens on {} has not our key but {}", where, found.shown.empty() ? "none" : found.shown),
        "another program has the port, or maildirsyncd an old key: look with ss -ltnp, restart maildirsyncd");
  } else {
    checks.good("port", "our daemon listens on " + where);
  }
}

void check_peers(Checks& checks, const config::Receiver& config, const Json& status) {
  if (config.peers.empty()) {
    return checks.bad(
        "peers", "no agent is known here yet",
        "run `maildirsync pair` on the old server, and here `maildirsync pair 'LINE'` with the line that it prints");
  }
  for (const auto& peer : list_of(status, "peers")) {
    const std::string name = text_of(peer, "name");
    if (!flag_of(peer, "connected")) {
      checks.bad("peers", fmt::format("the agent {} is not connected", name),
                 "run maildirsync doctor on that server: it says what hinders the agent");
      continue;
    }
    checks.good("peers", fmt::format("the agent {} is connected from {}", name, text_of(peer, "address")));
    if (const auto offset = number_of(peer, "clock_offset_seconds")) {
      check_clock(checks, name, *offset);
    } else {
      checks.skipped("clock", "the agent " + name + " did not say its time");
    }
  }
}

}  // namespace

void check_receiver(const Places& places, Checks& checks) {
  const auto config = config::read_receiver(places.config);
  if (!config) return refuse_configuration(checks, places, Role::receiver, config.error());
  checks.good("configuration", places.config + " is right");
  const auto identity = service_identity(Role::receiver, process_behind(config->control), places.is_default);
  check_key(checks, identity, config->tls.certificate, config->tls.key);
  check_state(checks, identity, config->state_dir);
  const Json status = check_daemon(checks, Role::receiver, places, config->control);
  for (const auto& peer : config->peers) {
    for (const auto& root : peer.roots) {
      check_root(checks, identity, places, root);
      check_links(checks, identity, root);
      check_owners(checks, root);
    }
  }
  if (!status.is_null()) check_port(checks, *config);
  if (const auto landing = config::check_landing(*config); !landing) {
    checks.bad("root", landing.error().detail, "give each root its own path, or write shared = true in both");
  }
  check_peers(checks, *config, status);
  check_dovecot(checks, *config, status);
}

}  // namespace maildirsync::cli
