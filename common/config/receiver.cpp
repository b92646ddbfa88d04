#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <sys/stat.h>

#include "common/config/document.h"
#include "common/config/shared.h"
#include "common/config/values.h"

namespace maildirsync::config {

namespace {

constexpr unsigned k_most_trash_days = 3650;

/// `users` or `groups`: name or number of the source = name or number here.
void read_ids(const Section& owner, std::string_view key, std::map<std::string, std::string>& ids) {
  const Value* table = owner.find(key);
  if (table == nullptr) return;
  const char* example = "{ vmail = \"vmail\", \"5000\" = \"vmail\" }";
  if (table->kind != Value::Kind::table)
    return owner.wrong_type(*table, std::string("write a table, such as ") + example);
  for (const Value& item : table->items) {
    const bool number = item.kind == Value::Kind::integer;
    const auto wrong = [&](const std::string& sentence) {
      owner.findings().add(
          item.line, "key " + in_quotes(item.key) + " in \"peer.root.owner." + std::string(key) + "\": " + sentence);
    };
    if (!number && item.kind != Value::Kind::text) {
      return wrong(std::string("its value is neither a name nor a number; write the table like ") + example);
    }
    const auto source = parse_owner_name(item.key);
    const auto destination = parse_owner_name(number ? std::to_string(item.integer) : item.text);
    if (!source || !destination) return wrong((source ? destination : source).error().detail);
    ids[*source] = *destination;
  }
}

void read_owner(const Section& root, Owner& owner) {
  const Section section = root.table("owner", {"policy", "users", "groups", "unmapped"});
  section.text("policy", owner.policy, parse_owner_policy);
  read_ids(section, "users", owner.users);
  read_ids(section, "groups", owner.groups);
  section.text("unmapped", owner.unmapped, parse_unmapped);
}

void read_roots(const Section& peer, std::vector<PeerRoot>& roots) {
  Unique names("root", "name");
  for (const Section& section : peer.tables("root", {"name", "path", "trash_days", "shared", "owner"})) {
    PeerRoot root;
    section.required_text("name", "vhosts", root.name, parse_name);
    section.required_text("path", "/var/mail/vhosts", root.path, parse_absolute_path);
    section.integer("trash_days", root.trash_days, 0, k_most_trash_days);
    section.flag("shared", root.shared);
    read_owner(section, root.owner);
    names.check(section, root.name);
    roots.push_back(std::move(root));
  }
}

/// What no two peers may have in common.
struct PeersOwn {
  Unique names{"peer", "name"};
  Unique fingerprints{"peer", "fingerprint"};
};

void read_peers(const Section& top, const std::string& file, PeersOwn& own, std::vector<Peer>& peers) {
  for (const Section& section : top.tables("peer", {"name", "fingerprint", "root"})) {
    Peer peer;
    section.required_text("name", "old-server", peer.name, parse_name);
    section.required_text("fingerprint", "sha256:...", peer.fingerprint, parse_fingerprint);
    own.names.check(section, peer.name);
    own.fingerprints.check(section, peer.fingerprint);
    read_roots(section, peer.roots);
    peer.file = file;
    peers.push_back(std::move(peer));
  }
}

}  // namespace

std::string peer_directory(const std::string& path) {
  constexpr std::string_view k_ending = ".toml";
  const std::string_view stem = path.ends_with(k_ending)
                                    ? std::string_view(path).substr(0, path.size() - k_ending.size())
                                    : std::string_view(path);
  return std::string(stem) + ".d";
}

Result<std::vector<std::string>> peer_files(const std::string& path) {
  const std::string directory = peer_directory(path);
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0 && errno == ENOENT) return std::vector<std::string>();
  std::error_code failed;
  std::vector<std::string> files;
  for (auto entry = std::filesystem::directory_iterator(directory, failed);
       !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::string name = entry->path().filename();
    if (name.ends_with(".toml") && !name.starts_with('.')) files.push_back(entry->path());
  }
  if (failed) {
    return Failure(complaint(directory, 0,
                             "the peers' files can't be listed (" + failed.message() + "); let this user read them"));
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return Failure(complaint(directory, 0, "anyone on this server may add a peer; run: chmod o-w " + directory));
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<Receiver> read_receiver(const std::string& path, const Instead& instead) {
  const auto read_from = [&](const std::string& file) { return file == instead.file ? instead.by : file; };
  MAILDIRSYNC_ASSIGN(const auto document, read_document(read_from(path)));

  Receiver receiver;
  receiver.file = path;
  PeersOwn own;
  Findings findings(read_from(path));
  const Section top(document, findings, {"listen", "state_dir", "control", "tls", "peer", "log", "metrics"});
  top.required_text("listen", "0.0.0.0:4465", receiver.listen, parse_endpoint);
  read_paths(top, receiver.state_dir, receiver.control);
  read_identity(top.table("tls", {"certificate", "key"}), "receiver", receiver.state_dir, receiver.tls.certificate,
                receiver.tls.key);
  read_peers(top, path, own, receiver.peers);
  read_log(top, receiver.log);
  read_metrics(top, receiver.metrics);
  if (findings.first()) return Failure(*findings.first());

  MAILDIRSYNC_ASSIGN(auto files, peer_files(path));
  const bool is_new = !instead.file.empty() && instead.file != path;
  if (is_new && std::find(files.begin(), files.end(), instead.file) == files.end()) files.push_back(instead.file);
  for (const auto& file : files) {
    MAILDIRSYNC_ASSIGN(const auto peers, read_document(read_from(file)));
    Findings wrong(read_from(file));
    read_peers(Section(peers, wrong, {"peer"}), file, own, receiver.peers);
    if (wrong.first()) return Failure(*wrong.first());
  }
  return receiver;
}

}  // namespace maildirsync::config
