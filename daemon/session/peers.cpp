#include "daemon/session/peers.h"

namespace maildirsync::daemon {

Result<Peers> make_peers(const config::Receiver& config, ServedDirectories* served) {
  Peers peers;
  for (const auto& configured : config.peers) {
    auto peer = std::make_shared<Peer>();
    peer->name = configured.name;
    peer->fingerprint = configured.fingerprint;
    for (const auto& root : configured.roots) {
      auto owners = OwnerMap::make(root.owner, "root \"" + root.name + "\" of peer \"" + configured.name + "\"");
      if (!owners) {
        Error error = owners.error();
        error.detail = config.file + ": " + error.detail;
        return Failure(error);
      }
      peer->roots[root.name] = {root.name,       root.path,   std::make_shared<const OwnerMap>(std::move(*owners)),
                                root.trash_days, root.shared, served == nullptr ? nullptr : served->find(root.path)};
    }
    peers[configured.fingerprint] = std::move(peer);
  }
  return peers;
}

Result<os::Directory> open_served_root(const ServedRoot& root) {
  return root.directory ? root.directory->open() : os::Directory::open_root(root.path);
}

}  // namespace maildirsync::daemon
