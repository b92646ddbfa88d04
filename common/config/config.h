#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/account_list.h"
#include "common/config/timetable.h"
#include "common/os/result.h"

namespace maildirsync::config {

struct Endpoint {
  std::string host;  ///< name or address, without brackets
  std::uint16_t port = 0;
  std::string text() const;  ///< host:port, [v6]:port
};

struct Log {
  std::string level = "info";  ///< trace, debug, info, warning, error
};

struct Metrics {
  std::optional<Endpoint> listen;
};

enum class Mode : std::uint8_t { mirror, drain };
/// "mirror" or "drain", as in the configuration.
const char* name_of(Mode mode);

/// Whose files an account may hold: its owner's and what they may read, or anybody's.
enum class AccountOwners : std::uint8_t { own, mixed };

struct AgentRoot {
  std::string name;
  std::string path;
  std::string accounts;  ///< layout pattern, checked by maildir::Layout::parse
  std::vector<std::string> include{"*"};
  std::vector<std::string> exclude;
  std::string include_file, exclude_file;  ///< one account name or glob a line; "": none
  AccountList included, excluded;          ///< as they were read
  Mode mode = Mode::mirror;
  AccountOwners owners = AccountOwners::own;
  /// How long an account that is gone is kept at the destination; nothing: until a person releases it.
  std::optional<std::chrono::seconds> removed_accounts;
};

/// Whether the account is one of the root's, by its globs and lists.
bool takes(const AgentRoot& root, std::string_view account);

enum class Compression : std::uint8_t { automatic, level, off };

struct Transfer {
  unsigned connections = 0;  ///< 0: chosen from the number of cores; at most 64
  Compression compression = Compression::automatic;
  int level = 3;                      ///< with Compression::level, 1..19
  std::uint64_t bandwidth_limit = 0;  ///< bytes a second; 0: none
  Timetable timetable;                ///< other limits by the time of the week
};

struct AgentTls {
  std::string certificate;
  std::string key;
  std::string receiver_fingerprint;  ///< "sha256:" and 64 lower-case hex digits
};

enum class WatchBackend : std::uint8_t { automatic, inotify, fanotify };

struct Watch {
  WatchBackend backend = WatchBackend::automatic;
};

/// The maps by which mail servers and proxies find the server that an account is at, while accounts are at both.
struct Door {
  std::string directory;  ///< where they are written
  std::string old_host;   ///< by which the new server reaches the old one
  std::string new_host;   ///< by which the old server reaches the new one
  std::string changed;    ///< a shell command that is run once they have changed; "": none
};

/// agent.toml, checked. The keys are in docs/configuration.md.
struct Agent {
  std::string file;  ///< where it was read from
  Endpoint receiver;
  std::string state_dir = "/var/lib/maildirsync-agent";
  std::string control = "/run/maildirsync-agent/control.sock";
  AgentTls tls;
  std::vector<AgentRoot> roots;
  Transfer transfer;
  Watch watch;
  std::optional<Door> door;
  Log log;
  Metrics metrics;
};

enum class OwnerPolicy : std::uint8_t { map, name, numeric };

/// How a root's owners become the destination's. Keys and values as written: a name or a number.
struct Owner {
  OwnerPolicy policy = OwnerPolicy::map;
  std::map<std::string, std::string> users;
  std::map<std::string, std::string> groups;
  std::string unmapped = "reject";  ///< or "user:group"
};

struct PeerRoot {
  std::string name;
  std::string path;
  unsigned trash_days = 14;  ///< how long what was deleted in masses stays in the trash; 0: there is none
  bool shared = false;       ///< others may land in its directory too, with other accounts
  Owner owner;
};

struct Peer {
  std::string name;
  std::string fingerprint;
  std::vector<PeerRoot> roots;
  std::string file = {};  ///< where it stands: receiver.toml, or a file of its own
};

struct ReceiverTls {
  std::string certificate;
  std::string key;
};

/// receiver.toml, checked.
struct Receiver {
  std::string file;
  Endpoint listen;
  std::string state_dir = "/var/lib/maildirsyncd";
  std::string control = "/run/maildirsyncd/control.sock";
  ReceiverTls tls;
  std::vector<Peer> peers;
  Log log;
  Metrics metrics;
};

/// Reads and checks a configuration file. A wrong one gives ErrorCode::config with one sentence in `detail` that names
/// file, line and key, what is wrong, and how to put it right (for an unknown key, the nearest known one). Checked:
/// unknown keys, types, required keys, duplicate names, formats (endpoint, fingerprint, sizes, levels, layouts,
/// absolute paths), and that certificate and key exist, are readable, and that the key is not readable by others.
/// That a root's path exists is not checked here: it may be mounted later.
Result<Agent> read_agent(const std::string& path);
/// Peers may stand in files of their own beside it: see peer_directory(). `instead`, if it names a file, has another
/// one read in its place: so that a change can be checked before it counts.
struct Instead {
  std::string file, by;
};
Result<Receiver> read_receiver(const std::string& path, const Instead& instead = {});
/// Of /etc/maildirsync/receiver.toml, /etc/maildirsync/receiver.d: each of its files NAME.toml holds [[peer]]s and
/// nothing else.
std::string peer_directory(const std::string& path);
/// Its files, sorted; none where there is no such directory. ErrorCode::config when it cannot be listed, or anyone may
/// write to it.
Result<std::vector<std::string>> peer_files(const std::string& path);

/// "20MiB/s", "1.5 GB/s", "500k", "0": bytes a second.
Result<std::uint64_t> parse_rate(const std::string& text);
Result<Endpoint> parse_endpoint(const std::string& text);

}  // namespace maildirsync::config
