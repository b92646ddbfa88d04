#include "cli/setup/pairing.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/setup/address.h"
#include "cli/setup/config_text.h"
#include "cli/setup/files.h"
#include "cli/setup/landing.h"
#include "cli/setup/peer_edit.h"
#include "cli/setup/survey.h"
#include "cli/setup/toml_edit.h"
#include "common/config/config.h"
#include "common/config/document.h"
#include "common/config/landing.h"
#include "common/net/identity.h"
#include "common/os/directory.h"
#include "common/os/path.h"
#include "common/os/printable.h"
#include "common/os/replace_file.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_max_file = 1024 * 1024;

std::string text_at(const config::Value& document, const char* table, const char* key) {
  const config::Value* holder = *table == '\0' ? &document : document.find(table);
  const config::Value* value = holder == nullptr ? nullptr : holder->find(key);
  return value == nullptr ? "" : value->text;
}

/// Not by config::read_agent: an agent that is not paired yet has no receiver, which that refuses.
std::vector<config::AgentRoot> roots_of(const config::Value& document) {
  std::vector<config::AgentRoot> roots;
  if (const config::Value* list = document.find("root")) {
    for (const auto& item : list->items)
      roots.push_back({text_at(item, "", "name"), text_at(item, "", "path"), text_at(item, "", "accounts")});
  }
  return roots;
}

Result<std::string> read_config(const Places& places, Role role) {
  auto text = os::read_file(places.config, k_max_file);
  if (text) return text;
  if (text.error().code == ErrorCode::vanished) {
    return failure(ErrorCode::config, "",
                   fmt::format("there is no {} yet; run: maildirsync setup {}", places.config, role_word(role)));
  }
  return text;
}

/// Writes the configuration if its reader finds it good.
template <class Read>
Result<> replace_config(const std::string& path, const std::string& text, Read read) {
  return os::replace_file_of_others(path, text, [&](const std::string& aside) -> Result<> {
    const auto good = read(aside);
    if (good) return {};
    Error error = good.error();
    if (const auto at = error.detail.find(aside); at != std::string::npos) error.detail.replace(at, aside.size(), path);
    error.detail += "; the file was left as it was";
    return Failure(error);
  });
}

const config::Peer* find_peer(const config::Receiver& receiver, const std::string& fingerprint,
                              const std::string& name) {
  for (const auto& peer : receiver.peers) {
    if (peer.fingerprint == fingerprint) return &peer;
  }
  for (const auto& peer : receiver.peers) {
    if (peer.name == name) return &peer;
  }
  return nullptr;
}

/// What was given for this root, or for all.
std::string given(const std::map<std::string, std::string>& values, const std::string& root) {
  const auto own = values.find(root);
  if (own != values.end()) return own->second;
  const auto all = values.find("");
  return all == values.end() ? "" : all->second;
}

void check_names(const PairLine& line, const std::map<std::string, std::string>& values, const char* option,
                 std::string& wrong) {
  for (const auto& [name, value] : values) {
    const bool known = name.empty() || std::any_of(line.roots.begin(), line.roots.end(),
                                                   [&, &key = name](const auto& root) { return root.name == key; });
    if (!known) wrong = fmt::format("{} {}={}: the agent offers no root of that name", option, name, value);
  }
}

Result<> check_mapping(const PairLine& line, const Mapping& mapping) {
  std::string wrong;
  check_names(line, mapping.paths, "--path", wrong);
  check_names(line, mapping.owners, "--owner", wrong);
  if (line.roots.size() > 1 && mapping.paths.contains(""))
    wrong = "the agent offers more than one root; say which one lands there: --path ROOT=DIRECTORY";
  if (!wrong.empty()) return failure(ErrorCode::config, "", wrong);
  return {};
}

/// The file that has the peer, or is to have it.
Result<std::string> file_of_peer(const Places& places, const PairLine& line, const Mapping& mapping,
                                 const std::string& name, const config::Peer* known) {
  if (known != nullptr && known->fingerprint != line.fingerprint && !mapping.replace) {
    return failure(
        ErrorCode::config, "",
        fmt::format("{} has a peer {} with another key ({}); if that agent got a new key: --replace; if it is "
                    "another server: --name NAME",
                    known->file, os::printable(name), known->fingerprint));
  }
  if (known != nullptr) return known->file;
  const std::string file = os::join(config::peer_directory(places.config), peer_file_name(name));
  if (os::exists(file)) {
    return failure(ErrorCode::config, "",
                   fmt::format("{} exists, and is of another peer than {}; say --name NAME, or take the file away",
                               file, os::printable(name)));
  }
  return file;
}

/// Null when the peer is not known, or has no root of that name.
const config::PeerRoot* find_root(const config::Peer* peer, const std::string& name) {
  if (peer == nullptr) return nullptr;
  const auto found = std::find_if(peer->roots.begin(), peer->roots.end(),
                                  [&](const config::PeerRoot& root) { return root.name == name; });
  return found == peer->roots.end() ? nullptr : &*found;
}

}  // namespace

Result<PairLine> own_line(Role role, const Places& places, const std::string& address) {
  MAILDIRSYNC_ASSIGN(const auto text, read_config(places, role));
  MAILDIRSYNC_ASSIGN(const auto document, config::parse_document(text, places.config));
  PairLine line{role};
  MAILDIRSYNC_ASSIGN(line.fingerprint, net::fingerprint_of_file(text_at(document, "tls", "certificate")));
  if (role == Role::receiver) {
    MAILDIRSYNC_ASSIGN(line.address, reachable_address(text_at(document, "", "listen"), address));
    return line;
  }
  line.address = known_host_name();
  for (const auto& root : roots_of(document))
    line.roots.push_back(offer_of(root));
  return line;
}

Result<Paired> pair_with_receiver(const Places& places, const PairLine& line) {
  MAILDIRSYNC_ASSIGN(auto text, read_config(places, Role::agent));
  MAILDIRSYNC_ASSIGN(const auto document, config::parse_document(text, places.config));
  const std::string before = text_at(document, "", "receiver");
  auto edited = set_text(text, places.config, "", "receiver", line.address);
  if (edited) edited = set_text(*edited, places.config, "tls", "receiver_fingerprint", line.fingerprint);
  if (!edited) return Failure(edited.error());
  MAILDIRSYNC_TRY(replace_config(places.config, *edited, config::read_agent));
  Paired paired;
  paired.notes.push_back(
      fmt::format("{}: the receiver is {}, known by {}", places.config, line.address, line.fingerprint));
  if (!before.empty() && before != line.address) paired.notes.push_back("before it was " + os::printable(before));
  return paired;
}

Result<Paired> pair_with_agent(const Places& places, const PairLine& line, const Mapping& mapping) {
  MAILDIRSYNC_TRY(read_config(places, Role::receiver));
  MAILDIRSYNC_ASSIGN(const auto receiver, config::read_receiver(places.config));
  MAILDIRSYNC_TRY(check_mapping(line, mapping));
  const std::string name = mapping.peer_name.empty() ? line.address : mapping.peer_name;
  const config::Peer* known = find_peer(receiver, line.fingerprint, name);
  MAILDIRSYNC_ASSIGN(const auto file, file_of_peer(places, line, mapping, name, known));

  Paired paired;
  std::vector<std::string> paths;
  std::string edited;
  if (known != nullptr) {
    MAILDIRSYNC_ASSIGN(edited, os::read_file(file, k_max_file));
  }
  // Another root's mail server says nothing about a directory tree with a prefix.
  const Survey survey = places.prefix.empty() ? survey_mail() : Survey{};
  config::Peer peer{known != nullptr ? known->name : name, line.fingerprint};
  for (const auto& offer : line.roots) {
    if (const auto* old = find_root(known, offer.name)) {
      paired.notes.push_back(
          fmt::format("the root {} was known already: {}", os::printable(old->name), os::printable(old->path)));
      paths.push_back(old->path);
      continue;
    }
    const Wish wish{given(mapping.paths, offer.name), given(mapping.owners, offer.name), line.roots.size() == 1};
    MAILDIRSYNC_ASSIGN(auto landing, land(offer, wish, survey));
    paths.push_back(landing.root.path);
    paired.notes.push_back(std::move(landing.note));
    if (known != nullptr) {
      MAILDIRSYNC_ASSIGN(edited, add_peer_root(edited, file, peer.name, landing.root));
    } else {
      peer.roots.push_back(std::move(landing.root));
    }
  }
  if (known == nullptr) {
    edited = peer_text(peer);
    MAILDIRSYNC_TRY(make_directories(config::peer_directory(places.config)));
  } else if (known->fingerprint != line.fingerprint) {
    MAILDIRSYNC_ASSIGN(edited, set_peer_fingerprint(edited, file, peer.name, line.fingerprint));
  }
  MAILDIRSYNC_TRY(replace_config(file, edited, [&](const std::string& aside) -> Result<> {
    MAILDIRSYNC_ASSIGN(const auto read, config::read_receiver(places.config, {file, aside}));
    return config::check_landing(read);
  }));
  paired.notes.insert(paired.notes.begin(),
                      fmt::format("{}: the agent {} is known by {}", file, os::printable(peer.name), line.fingerprint));
  MAILDIRSYNC_ASSIGN(paired.dropin_changed, allow_writes(places, paths));
  if (paired.dropin_changed) paired.notes.push_back(places.dropin + " lets the service write there");
  return paired;
}

Result<bool> allow_writes(const Places& places, const std::vector<std::string>& paths) {
  if (places.prefix.empty() && !places.is_default) return false;  // no service reads that configuration
  const std::string old = os::read_file(places.dropin, k_max_file).value_or("");
  const bool ours = old.empty() || old.find("`maildirsync setup`") != std::string::npos;
  std::vector<std::string> all = dropin_paths(old);
  const std::size_t known = all.size();
  for (const auto& path : paths) {
    if (std::find(all.begin(), all.end(), path) == all.end()) all.push_back(path);
  }
  if (all.size() == known) return false;
  // What somebody wrote by hand stays, and gets the rest at its end.
  const std::string text =
      ours ? dropin_text(all) : old + "\n" + dropin_text({all.begin() + static_cast<std::ptrdiff_t>(known), all.end()});
  MAILDIRSYNC_TRY(make_directories(os::directory_of(places.dropin)));
  MAILDIRSYNC_TRY(os::replace_file_of_others(places.dropin, text));
  return true;
}

}  // namespace maildirsync::cli
