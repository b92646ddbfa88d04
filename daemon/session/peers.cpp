#include "daemon/session/peers.h"

#include <algorithm>

namespace maildirsync::daemon {

Result<Peers> make_peers(const config::Receiver& config) {
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
      peer->roots[root.name] = {root.name, root.path, std::make_shared<const OwnerMap>(std::move(*owners))};
    }
    peers[configured.fingerprint] = std::move(peer);
  }
  return peers;
}

bool is_same(const config::Peer& left, const config::Peer& right) {
  const auto same_root = [](const config::PeerRoot& a, const config::PeerRoot& b) {
    return a.name == b.name && a.path == b.path && a.owner.policy == b.owner.policy && a.owner.users == b.owner.users &&
           a.owner.groups == b.owner.groups && a.owner.unmapped == b.owner.unmapped;
  };
  return left.name == right.name && left.fingerprint == right.fingerprint &&
         std::equal(left.roots.begin(), left.roots.end(), right.roots.begin(), right.roots.end(), same_root);
}

}  // namespace maildirsync::daemon
