#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/os/directory.h"
#include "common/os/result.h"
#include "daemon/owner/owner_map.h"

namespace maildirsync::daemon {

/// One root of a peer, ready for use. Immutable.
struct ServedRoot {
  std::string name;
  std::string path;
  std::shared_ptr<const OwnerMap> owners;
  unsigned trash_days = 0;
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

/// Opens the root's directory at the destination. Fails with a sentence that says how to mend it: root_gone when it is
/// not there, permission when it is read-only to us, as all is that the unit does not open for writing.
Result<os::Directory> open_served_root(const std::string& name, const std::string& path);

}  // namespace maildirsync::daemon
