#pragma once

#include <string>

#include "common/config/config.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// Edits of the receiver's [[peer]] entries, in the manner of set_text (toml_edit.h): all else stays, or the edit is
/// refused. Pure.

/// Appends a [[peer]] with its roots.
Result<std::string> add_peer(const std::string& toml, const std::string& file, const config::Peer& peer);

/// Adds a [[peer.root]] to the peer of that name.
Result<std::string> add_peer_root(const std::string& toml, const std::string& file, const std::string& peer,
                                  const config::PeerRoot& root);

/// Gives the peer of that name another fingerprint.
Result<std::string> set_peer_fingerprint(const std::string& toml, const std::string& file, const std::string& peer,
                                         const std::string& fingerprint);

}  // namespace maildirsync::cli
