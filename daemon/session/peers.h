#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/os/directory.h"
#include "common/os/result.h"
#include "daemon/owner/owner_map.h"
#include "daemon/roots/served_directories.h"

namespace maildirsync::daemon {

/// One root of a peer, ready for use. Immutable.
struct ServedRoot {
  std::string name;
  std::string path;
  std::shared_ptr<const OwnerMap> owners;
  unsigned trash_days = 0;
  bool is_shared = false;
  std::shared_ptr<ServedDirectory> directory;  ///< null where nothing is served, as by --check-config
};

/// One configured agent. Immutable; sessions keep the one they began with.
struct Peer {
  std::string name;
  std::string fingerprint;
  std::map<std::string, ServedRoot> roots;
};

/// All peers by fingerprint. Fails with ErrorCode::config when an owner table names what does not exist here. `served`:
/// where the roots' directories are had from, if any.
using Peers = std::map<std::string, std::shared_ptr<const Peer>>;
Result<Peers> make_peers(const config::Receiver& config, ServedDirectories* served = nullptr);

/// Opens the root's directory at the destination for work; see ServedDirectory::open.
Result<os::Directory> open_served_root(const ServedRoot& root);

}  // namespace maildirsync::daemon
