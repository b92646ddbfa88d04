#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/os/result.h"
#include "daemon/owner/owner_map.h"

namespace maildirsync::daemon {

/// One root of a peer, ready for use. Immutable.
struct ServedRoot {
  std::string name;
  std::string path;
  std::shared_ptr<const OwnerMap> owners;
};

/// One configured agent. Immutable; sessions keep the one they began with.
struct Peer {
  std::string name;
  std::string fingerprint;
  std::map<std::string, ServedRoot> roots;
};

/// All peers by fingerprint. Fails with ErrorCode::config when an owner table names what does not exist here.
using Peers = std::map<std::string, std::shared_ptr<const Peer>>;
Result<Peers> make_peers(const config::Receiver& config);

/// Whether both say the same, so that a session may go on over a reload.
bool is_same(const config::Peer& left, const config::Peer& right);

}  // namespace maildirsync::daemon
